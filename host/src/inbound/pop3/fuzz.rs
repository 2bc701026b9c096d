//! Mutated server sessions: the client must come to an end without a panic, whatever it is told. `POSTIGO_FUZZ_CASES`
//! sets how many.

use super::Memory;
use super::connection::{Connection, KeptLimit};
use super::error::Pop3Error;
use super::listing::{MailboxListing, MailboxPlan};
use crate::inbound::mutation::{Dice, mutated};
use postigo_model::configured::{Account, Protocol, Secret, Server};
use postigo_net::Stream;
use postigo_net::credentials::Credentials;
use std::collections::HashMap;
use std::io::Cursor;

const SEED: u64 = 0x0123_4567_89ab_cdef;

/// What a server says in a whole session, answer by answer.
const ANSWERS: [&[u8]; 18] = [
    b"+OK POP3 ready <1896.697170952@dbc.mtview.ca.us>\r\n",
    b"+OK\r\nTOP\r\nUSER\r\nUIDL\r\nSASL PLAIN XOAUTH2\r\nPIPELINING\r\nLOGIN-DELAY 900\r\n.\r\n",
    b"+OK\r\n",
    b"+ \r\n",
    b"+ eyJzdGF0dXMiOiI0MDEifQ==\r\n",
    b"+OK Logged in.\r\n",
    b"+OK\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n.\r\n",
    b"+OK 3 320\r\n",
    b"+OK 3 messages (320 octets)\r\n1 120\r\n2 200\r\n3 18446744073709551615\r\n.\r\n",
    b"+OK\r\n1 whqtswO00WBw418f9t5JxYwZ\r\n2 QhdPYR:00WBw1Ph7x7\r\n3 0000000149c39f48\r\n.\r\n",
    b"+OK 120 octets\r\nReceived: x\r\nSubject: a\r\n\r\n..\r\n.x\r\n.\r\n",
    b"+OK 200 octets\r\n\r\n\xff\xfe\x00\r\n.\r\n",
    b"-ERR [SYS/TEMP] no such message\r\n",
    b"+OK\r\nSubject: a\r\n\r\n.\r\n",
    b"+OK message 1 deleted\r\n",
    b"-ERR message 2 already deleted\r\n",
    b"+OK\r\n",
    b"+OK dewey POP3 server signing off\r\n",
];

/// What is put where it does not belong.
const ODDITIES: [&[u8]; 12] = [
    b"\r\n",
    b"\n",
    b"\r",
    b".\r\n",
    b"..\r\n",
    b"-ERR [IN-USE] x\r\n",
    b"+ \r\n",
    b"* OK IMAP\r\n",
    b"4294967295 99999999999999999999\r\n",
    b"\x00\xff",
    b"1 \x01\r\n",
    b"+OK\r\n",
];

/// Everything that a run asks for, one after another, whatever the answers are.
async fn converse(said: Vec<u8>, server: Server<'_>, credentials: &Credentials) -> Result<usize, Pop3Error> {
    let stream = Stream::over(tokio::io::join(Cursor::new(said), tokio::io::sink()));
    let mut connection = Connection::over(stream, server, credentials).await?;
    let count = connection.count().await?;
    let sizes = connection.sizes(count).await?;
    let listing = MailboxListing::new(sizes, connection.uidls(count).await?);
    let plan = MailboxPlan::new(&listing, &HashMap::new(), true, 1_000, &Memory::default());
    let numbers: Vec<u32> = plan.fetch.iter().map(|message| message.number).collect();
    let mut came = 0;
    connection.retrieve(&numbers, KeptLimit { message: 1_000, together: 2_000 }, |_| came += 1).await?;
    for message in &plan.oversize {
        connection.header(message.number).await?;
    }
    connection.delete(&numbers).await?;
    connection.quit().await?;
    Ok(came)
}

#[test]
fn fuzzed_sessions_end_without_a_panic() {
    let cases = std::env::var("POSTIGO_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(2_000);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let account = Account { protocol: Protocol::Pop3, user: "jane".into(), ..Account::default() };
    let ways = [
        Credentials::Password { user: "jane".into(), password: Secret::new("secret") },
        Credentials::Password { user: "jane doe".into(), password: Secret::new("secret") },
        Credentials::Bearer { user: "jane".into(), token: Secret::new("token") },
    ];
    let mut dice = Dice::new(SEED);
    let mut whole = 0;
    for case in 0..cases {
        let said = mutated(&mut dice, &ANSWERS, &ODDITIES, b"x. \n", 12);
        match runtime.block_on(converse(said, account.source().server().unwrap(), &ways[case % ways.len()])) {
            Ok(_) => whole += 1,
            Err(error) => assert!(!error.to_string().is_empty() && error.to_string().len() < 1_000, "{error}"),
        }
    }
    println!("{cases} sessions, {whole} of them to their end");
    assert!(whole > 0, "no session got to its end: the mutations are too rough");
}
