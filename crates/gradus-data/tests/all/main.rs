//! Tests of the public functions, in one program so that what they share is compiled once.

#[cfg(test)]
mod chat;
#[cfg(test)]
mod divided_tables;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod idx;
#[cfg(test)]
mod instruction;
#[cfg(test)]
mod loader;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod targets;
#[cfg(test)]
mod text_source;
#[cfg(test)]
mod tokenizer;
#[cfg(test)]
mod tokens;
