//! See `src/targets/websocket.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wsdissect_fuzz::targets::websocket::run(bytes));
