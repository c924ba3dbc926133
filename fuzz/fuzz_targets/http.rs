//! See `src/targets/http.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wsdissect_fuzz::targets::http::run(bytes));
