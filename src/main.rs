//! The program `doctor`: all of it is in the library, where it can be tested.

use std::process::ExitCode;

fn main() -> ExitCode {
    banger_doctor::program::main()
}
