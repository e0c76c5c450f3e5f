//! Quantised blocks against ggml's reference code: the same bytes and the same bits.

use gradus_kernels::quant::{BlockType, dequantize, quantize};

use crate::golden_file::GoldenFile;

#[test]
fn quantisers_give_the_bytes_of_the_reference() {
    let golden = GoldenFile::open("blocks.safetensors");
    let x = golden.tensor("x");
    let x = x.as_slice::<f32>().unwrap();
    for ty in BlockType::ALL {
        let want = golden.tensor(&format!("{ty}.blocks"));
        let want = want.as_slice::<u8>().unwrap();
        let mut got = vec![0; want.len()];
        quantize(&mut got, x, ty);
        let blocks = got.chunks(ty.block_bytes()).zip(want.chunks(ty.block_bytes()));
        for (i, (got, want)) in blocks.enumerate() {
            assert_eq!(got, want, "{ty}, block {i}");
        }
    }
}

#[test]
fn readers_give_the_bits_of_the_reference() {
    let golden = GoldenFile::open("blocks.safetensors");
    for ty in BlockType::ALL {
        for (blocks, weights) in [("blocks", "weights"), ("noise", "noise_weights")] {
            let blocks = golden.tensor(&format!("{ty}.{blocks}"));
            let want = golden.tensor(&format!("{ty}.{weights}"));
            let want = want.as_slice::<f32>().unwrap();
            let mut got = vec![f32::NAN; want.len()];
            dequantize(&mut got, blocks.as_slice::<u8>().unwrap(), ty);
            for (i, (got, want)) in got.iter().zip(want).enumerate() {
                assert_eq!(
                    got.to_bits(),
                    want.to_bits(),
                    "{ty}, weight {i}: {got} for {want}"
                );
            }
        }
    }
}
