//! From a parsed struct to its `Module` implementation.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Field, Fields, FieldsNamed, Path, Result};

/// The implementation for `input`, of the trait that lives in the crate or module `home`.
pub fn module(input: &DeriveInput, home: &Path) -> Result<TokenStream> {
    reject_container_attributes(input)?;
    let visits = match fields(input)? {
        Some(fields) => fields
            .named
            .iter()
            .map(|field| visit(field, home))
            .collect::<Result<Vec<_>>>()?,
        None => Vec::new(),
    };
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #impl_generics #home::Module for #name #type_generics #where_clause {
            fn visit(&self, visitor: &mut dyn #home::ModuleVisitor) {
                let _ = &visitor;
                #(#visits)*
            }
        }
    })
}

/// The named fields; `None` for a unit struct, which is a module with nothing in it.
fn fields(input: &DeriveInput) -> Result<Option<&FieldsNamed>> {
    match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => Ok(Some(fields)),
            Fields::Unit => Ok(None),
            Fields::Unnamed(fields) => Err(Error::new(
                fields.span(),
                "#[derive(Module)] names parameters after fields, so it needs named fields: \
                 write `struct Net { first: Linear, .. }`",
            )),
        },
        Data::Enum(data) => Err(Error::new(
            data.enum_token.span(),
            "#[derive(Module)] works on structs; for a choice between layers hold a `Box<dyn Layer>` in a struct, \
             or implement `Module::visit` with a `match`",
        )),
        Data::Union(data) => Err(Error::new(
            data.union_token.span(),
            "#[derive(Module)] works on structs with named fields, not on unions",
        )),
    }
}

/// The call that visits one field, or nothing when it is skipped.
fn visit(field: &Field, home: &Path) -> Result<TokenStream> {
    if is_skipped(field)? {
        return Ok(TokenStream::new());
    }
    let Some(ident) = &field.ident else {
        return Err(Error::new(field.span(), "#[derive(Module)] needs named fields"));
    };
    let name = ident.unraw().to_string();
    // The call carries the span of the field's type, so that a type which is no module is underlined itself.
    Ok(quote_spanned! {field.ty.span()=>
        #home::visit_child(visitor, #name, &self.#ident);
    })
}

/// Whether the field is marked `#[module(skip)]`.
fn is_skipped(field: &Field) -> Result<bool> {
    let mut skipped = false;
    for attribute in field
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("module"))
    {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("skip") {
                return Err(meta.error("unknown option; the only one is `#[module(skip)]`"));
            }
            skipped = true;
            Ok(())
        })?;
    }
    Ok(skipped)
}

fn reject_container_attributes(input: &DeriveInput) -> Result<()> {
    match input
        .attrs
        .iter()
        .find(|attribute| attribute.path().is_ident("module"))
    {
        Some(attribute) => Err(Error::new(
            attribute.span(),
            "`#[module(skip)]` goes on a field, not on the struct",
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syn::parse_quote;

    fn expanded(input: DeriveInput) -> String {
        module(&input, &parse_quote!(::gradus_nn))
            .expect("expands")
            .to_string()
    }

    fn message(input: DeriveInput) -> String {
        module(&input, &parse_quote!(::gradus_nn))
            .expect_err("refuses")
            .to_string()
    }

    #[test]
    fn visits_each_field_under_its_name() {
        let code = expanded(parse_quote! { struct Net { hidden: Linear, r#type: Linear } });
        assert!(
            code.contains(r#"visit_child (visitor , "hidden" , & self . hidden)"#),
            "{code}"
        );
        assert!(
            code.contains(r#"visit_child (visitor , "type" , & self . r#type)"#),
            "{code}"
        );
    }

    #[test]
    fn leaves_skipped_fields_out_and_keeps_generics() {
        let code = expanded(parse_quote! {
            struct Net<M: Module> where M: Send { inner: M, #[module(skip)] cache: Cache }
        });
        assert!(!code.contains("cache"), "{code}");
        assert!(
            code.contains("impl < M : Module > :: gradus_nn :: Module for Net < M > where M : Send"),
            "{code}"
        );
    }

    #[test]
    fn a_unit_struct_is_an_empty_module() {
        assert!(!expanded(parse_quote! { struct Nothing; }).contains("visit_child"));
    }

    #[test]
    fn refusals_say_what_to_do() {
        assert!(
            message(parse_quote! { struct Net(Linear); })
                .contains("write `struct Net { first: Linear, .. }`")
        );
        assert!(message(parse_quote! { enum Net { A } }).contains("`Box<dyn Layer>`"));
        assert!(message(parse_quote! { union Net { a: f32 } }).contains("not on unions"));
        assert!(
            message(parse_quote! { struct N { #[module(ignore)] a: f32 } }).contains("`#[module(skip)]`")
        );
        assert!(message(parse_quote! { #[module(skip)] struct N { a: f32 } }).contains("on a field"));
    }
}
