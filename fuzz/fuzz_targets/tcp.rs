//! See `src/targets/tcp.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wsdissect_fuzz::targets::tcp::run(bytes));
