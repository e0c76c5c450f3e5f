//! How fast a transformer's forward and backward passes are: `transformer_speed S|M|L [f32|bf16] [steps]`.

use std::time::Instant;

use gradus_nn::Module;
use gradus_nn::families::transformer::{TextInput, Transformer, TransformerConfig, TransformerOptions};
use gradus_tensor::{Precision, Rng, Tensor};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |index: usize, default: &str| arguments.get(index).cloned().unwrap_or(default.to_owned());
    let ([layers, heads, width], [batch, block], vocab) = match argument(0, "M").as_str() {
        "S" => ([4, 4, 128], [12, 64], 65),
        "L" => ([12, 12, 768], [2, 512], 50_304),
        _ => ([6, 6, 384], [12, 256], 65),
    };
    let config = TransformerConfig::from_huggingface(&serde_json::json!({
        "model_type": "gpt2", "n_layer": layers, "n_head": heads, "n_embd": width, "n_positions": block,
        "vocab_size": vocab, "resid_pdrop": 0.0,
    }))?;
    let precision = Precision::from_name(&argument(1, "bf16")).unwrap_or_default();
    let options = TransformerOptions {
        precision,
        ..TransformerOptions::default()
    };
    let model = Transformer::new(&config, options, 1)?;
    let mut rng = Rng::seed_from(2);
    let mut tokens = || {
        let ids: Vec<i64> = (0..batch * block).map(|_| rng.below(vocab) as i64).collect();
        Tensor::from_vec(ids, [batch, block])
    };
    let (ids, targets) = (tokens()?, tokens()?);
    let step = || -> Result<[f64; 2], Box<dyn std::error::Error>> {
        let start = Instant::now();
        let loss = model.loss(&TextInput::from(&ids), &targets)?;
        let forward = start.elapsed().as_secs_f64();
        loss.backward()?;
        let whole = start.elapsed().as_secs_f64();
        model.zero_grad();
        Ok([forward, whole - forward])
    };
    step()?;
    let count: usize = argument(2, "5").parse()?;
    for _ in 0..count {
        let [forward, backward] = step()?;
        let rate = (batch * block) as f64 / (forward + backward);
        let gflops = 3.0 * config.flops_per_token(block) * rate / 1e9;
        println!(
            "forward {:.1} ms, backward {:.1} ms: {rate:.0} tokens/s, {gflops:.0} GFLOP/s",
            forward * 1e3,
            backward * 1e3
        );
    }
    Ok(())
}
