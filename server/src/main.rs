//! The `weir` binary: everything it does lives in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    weir_server::cli::main()
}
