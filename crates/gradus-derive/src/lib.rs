//! The derive macro behind gradus-nn's `Module` trait.
//!
//! `#[derive(Module)]` on a struct with named fields writes the one method that `Module` asks for: it visits each
//! field under the field's name. A field is a layer, a parameter, a buffer, a container of these, or a plain setting
//! (numbers, strings, flags: modules with nothing in them). Any other field is marked `#[module(skip)]`.
//!
//! The expansion is a list of calls of `gradus_nn::visit_child`, which is where the work is.
#![forbid(unsafe_code)]

mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input, parse_quote};

/// Implements `gradus_nn::Module` for a struct with named fields.
#[proc_macro_derive(Module, attributes(module))]
pub fn derive_module(input: TokenStream) -> TokenStream {
    expand_at(input, parse_quote!(::gradus_nn))
}

/// Implements `gradus::nn::Module`, for users who depend on the `gradus` facade alone; it re-exports this as `Module`.
#[proc_macro_derive(FacadeModule, attributes(module))]
pub fn derive_facade_module(input: TokenStream) -> TokenStream {
    expand_at(input, parse_quote!(::gradus::nn))
}

fn expand_at(input: TokenStream, home: syn::Path) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::module(&input, &home)
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
