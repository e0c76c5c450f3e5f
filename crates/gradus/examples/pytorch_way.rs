//! The PyTorch way: a struct of layers, and a loop.
use gradus::prelude::*;

#[derive(Module)]
struct Net {
    hidden: Linear,
    output: Linear,
}

impl Net {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.output.forward(&self.hidden.forward(x)?.relu()?)
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let rng = &mut Rng::seed_from(0);
    let net = Net {
        hidden: Linear::new(2, 32, rng),
        output: Linear::new(32, 2, rng),
    };
    let x = Tensor::rand_uniform([256, 2], -1.0, 1.0, rng);
    let y = x
        .pow(2.0)?
        .sum([1], false)?
        .lt(&Tensor::full([256], 0.6, DType::F32))?
        .to_dtype(DType::I64)?;
    let mut optimizer = Sgd::new(net.parameters(), 0.5);
    for step in 1..=500 {
        optimizer.zero_grad();
        let loss = cross_entropy(&net.forward(&x)?, &y)?;
        loss.backward()?;
        optimizer.step()?;
        if step % 100 == 0 {
            println!("step {step}: loss {:.4}", loss.item::<f32>()?);
        }
    }
    Ok(())
}
