//! The one binary.

fn main() -> std::process::ExitCode {
    bwvdock::cli::main()
}
