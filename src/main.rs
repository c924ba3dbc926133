//! Command-line entry: everything is in [`wsdissect::cli`].

fn main() -> std::process::ExitCode {
    wsdissect::cli::run().into()
}
