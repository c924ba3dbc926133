//! See `src/targets/capture_reader.rs`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wsdissect_fuzz::targets::capture_reader::run(bytes));
