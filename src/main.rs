//! Command-line entry: everything is in [`wsdissect::cli`].

/// With threads, what one of them allocates another frees, which this allocator does without waiting.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    wsdissect::cli::run().into()
}
