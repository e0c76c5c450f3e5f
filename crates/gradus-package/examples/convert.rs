//! Turns a model of one program into a model of another:
//!
//! ```text
//! cargo run --release -p gradus-package --example convert -- SmolLM2.gguf folder            # for transformers
//! cargo run --release -p gradus-package --example convert -- folder model.gguf q4_k_m      # for llama.cpp
//! ```

use std::error::Error;

use gradus_package::foreign::ForeignModel;
use gradus_package::foreign::gguf::{self, GgufType};
use gradus_package::foreign::hugging_face::{self, HuggingFaceType};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, rest @ ..] = &arguments[..] else {
        return Err(
            "usage: convert FROM TO [TYPE]; a TO that ends in .gguf is a file, any other a folder".into(),
        );
    };
    let model = ForeignModel::open(from)?;
    if !to.ends_with(".gguf") {
        hugging_face::write(to, &model, HuggingFaceType::Held)?;
        return Ok(());
    }
    let name = rest.first().map_or("held", String::as_str);
    let kind = GgufType::from_name(name).ok_or("TYPE is one of held, f32, f16, bf16, q8_0, q4_0, …, q6_k")?;
    let written = gguf::write(to, &model, kind)?;
    println!("{} tensors, {} bytes", written.tensors.len(), written.bytes);
    Ok(())
}
