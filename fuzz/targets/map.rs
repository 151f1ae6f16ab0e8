#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| banger_doctor::fuzzing::map(bytes));
