//! Entities: `&amp;`.

/// So many bytes of an entity are looked at, between `&` and `;`: the longest name has 31, and numbers may begin with
/// zeros.
const ENTITY: usize = 40;

/// How long the entity is that a text begins with; 0 where it begins with none, or with one that stands for itself.
pub fn entity_length(text: &[u8]) -> usize {
    let is_of_name = |byte: &&u8| byte.is_ascii_alphanumeric() || **byte == b'#';
    let name = text.iter().skip(1).take(ENTITY).take_while(is_of_name).count();
    if name > 0 && text.get(name + 1) == Some(&b';') { name + 2 } else { 0 }
}
