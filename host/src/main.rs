//! The `postigo` binary.

fn main() -> std::process::ExitCode {
    postigo::cli::main()
}
