//! The socket that is listened on: a TCP address, or a Unix socket that replaces a stale one and goes when it is
//! dropped.

use super::ListenError;
use super::wire::ClientBytes;
use postigo_model::configured::Endpoint;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Owner and group may connect. In a folder with the set-group-ID bit the socket has the folder's group: the mail
/// server's, by the admin's wish.
const SOCKET_MODE: u32 = 0o660;

/// Something that is listened on.
pub enum BoundSocket {
    /// An address.
    Tcp(TcpListener),
    /// A socket file.
    Unix(UnixListener, SocketFile),
}

/// A socket's file; removed when dropped, unless another has taken its place.
pub struct SocketFile {
    path: PathBuf,
    inode: Option<u64>,
}

impl BoundSocket {
    /// Listens. A socket file that nobody listens on any more is replaced.
    pub async fn to(endpoint: &Endpoint) -> Result<Self, ListenError> {
        let failed = |reason| ListenError::Bind { endpoint: endpoint.clone(), reason };
        match endpoint {
            Endpoint::Tcp(address) => Ok(Self::Tcp(TcpListener::bind(address).await.map_err(failed)?)),
            Endpoint::Unix(path) => {
                clear(endpoint, path).await?;
                let listener = UnixListener::bind(path).map_err(failed)?;
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE)).map_err(failed)?;
                let inode = std::fs::symlink_metadata(path).ok().map(|metadata| metadata.ino());
                Ok(Self::Unix(listener, SocketFile { path: path.clone(), inode }))
            }
        }
    }

    /// Waits for a client: its stream, and over TCP its address.
    pub async fn accept(&self) -> io::Result<(Box<dyn ClientBytes>, Option<IpAddr>)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Where that fails the client has gone, and its session finds out.
                let _ = stream.set_nodelay(true);
                Ok((Box::new(stream), Some(peer.ip().to_canonical())))
            }
            Self::Unix(listener, _) => Ok((Box::new(listener.accept().await?.0), None)),
        }
    }

    /// The port that the operating system chose, or that was asked for.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(..) => None,
        }
    }
}

/// Removes a socket that nobody listens on; anything else stays.
async fn clear(endpoint: &Endpoint, path: &Path) -> Result<(), ListenError> {
    let failed = |reason| ListenError::Bind { endpoint: endpoint.clone(), reason };
    match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(reason) => Err(failed(reason)),
        Ok(metadata) if !metadata.file_type().is_socket() => Err(ListenError::InTheWay(endpoint.clone())),
        Ok(_) => match UnixStream::connect(path).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(failed)
            }
            Ok(_) => Err(failed(io::ErrorKind::AddrInUse.into())),
            // Somebody may well listen there, with too much to do, or for others than us.
            Err(reason) => Err(failed(reason)),
        },
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let present = std::fs::symlink_metadata(&self.path).ok().map(|metadata| metadata.ino());
        if present.is_some() && present == self.inode {
            // What cannot be removed is found to be stale at the next start.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}
