//! See `src/targets/tls.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wsdissect_fuzz::targets::tls::run(bytes));
