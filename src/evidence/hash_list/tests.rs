use super::*;
use proptest::prelude::*;

const A: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
const B: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn names(list: &HashList) -> Vec<&[u8]> {
    list.digests.keys().map(SourcePath::as_bytes).collect()
}

fn coreutils(text: &str) -> HashList {
    HashList::parse(ListKind::Coreutils, b"", text.as_bytes())
}

fn bagit(text: &str) -> HashList {
    HashList::parse(ListKind::BagIt, b"bag", text.as_bytes())
}

#[test]
fn both_forms_crlf_a_mark_and_a_missing_last_line_feed_are_read() {
    let list = coreutils(&format!("\u{feff}{A}  a b.mp4\r\n\n{B} *./sub/b.mp4\r\n{A}   c"));
    assert_eq!(names(&list), [&b" c"[..], b"a b.mp4", b"sub/b.mp4"]);
    assert_eq!(list.refused_count, 0);
    let upper = coreutils(&format!("{}  a", A.to_uppercase()));
    assert_eq!(upper.digests.values().next().unwrap().to_string(), A);
}

#[test]
fn names_are_relative_to_the_folder_of_the_list() {
    let list = HashList::parse(ListKind::Coreutils, b"DCIM/100", format!("{A}  a").as_bytes());
    assert_eq!(names(&list), [b"DCIM/100/a"]);
}

#[test]
fn the_escaped_form_is_decoded_only_where_it_is_declared() {
    let list = coreutils(&format!("\\{A}  a\\nb\\\\c\\rd\n{A}  plain\\nname\n\\{A}  bad\\q\n"));
    assert_eq!(names(&list), [&b"a\nb\\c\rd"[..], b"plain\\nname"]);
    assert_eq!((list.refused[0].line, list.refused_count), (3, 1));
}

#[test]
fn path_traversal_and_absolute_paths_are_refused_line_by_line() {
    let text =
        format!("{A}  ../x\n{A}  /etc/passwd\n{A}  a/../../b\n{A}  .\n{A}  ./../x\n{B}  ok\n");
    let list = coreutils(&text);
    assert_eq!(names(&list), [b"ok"]);
    assert_eq!(list.refused_count, 5);
    let list = bagit(&format!("{A} data/../../x\n{A} /data/x\n{A} ../data/x\n"));
    assert_eq!((names(&list).len(), list.refused_count), (0, 3));
}

#[test]
fn duplicate_names_with_one_digest_count_once_and_with_two_not_at_all() {
    let list = coreutils(&format!("{A}  same\n{A}  same\n{A}  torn\n{B}  ./torn\n{A}  torn\n"));
    assert_eq!(names(&list), [b"same"]);
    assert_eq!(list.conflicting.iter().next().unwrap().as_bytes(), b"torn");
    assert_eq!(list.refused_count, 2);
}

#[test]
fn non_utf8_names_are_kept_byte_for_byte() {
    let line = [A.as_bytes(), b"  caf\xe9.mp4\n"].concat();
    let list = HashList::parse(ListKind::Coreutils, b"", &line);
    assert_eq!(names(&list), [b"caf\xe9.mp4"]);
}

#[test]
fn bagit_decodes_three_percent_codes_and_no_other() {
    let list = bagit(&format!("{A}  data/a%0Ab%0d%25%20.mp4\n{A}\tdata/b%2\n{A} tagged.txt\n"));
    assert_eq!(names(&list), [&b"bag/data/a\nb\r%%20.mp4"[..], b"bag/data/b%2"]);
    assert_eq!(list.refused_count, 1);
}

#[test]
fn lines_that_are_no_lines_are_refused_and_only_the_first_are_described() {
    let list = coreutils(&"SHA256 (a) = b\n".repeat(50));
    assert_eq!((list.refused.len(), list.refused_count), (HashList::REFUSED_MAX, 50));
    for bad in [&A[..63], A, &format!("{A} x"), &format!("{A}\tx"), &format!("{}g  x", &A[..63])] {
        assert_eq!(coreutils(bad).refused_count, 1, "{bad:?}");
    }
}

#[test]
fn a_list_beyond_the_bound_says_so_and_holds_nothing() {
    let list = HashList::parse(ListKind::Coreutils, b"", &vec![b'a'; HashList::BYTES_MAX + 1]);
    assert!(list.digests.is_empty() && list.refused_count == 1);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>, is_bag: bool) {
        let kind = if is_bag { ListKind::BagIt } else { ListKind::Coreutils };
        let _ = HashList::parse(kind, b"f", &bytes);
    }

    #[test]
    fn arbitrary_names_after_a_digest_never_leave_the_folder(name: Vec<u8>, is_bag: bool) {
        let kind = if is_bag { ListKind::BagIt } else { ListKind::Coreutils };
        let line = [A.as_bytes(), b"  ", &name].concat();
        for path in HashList::parse(kind, b"f", &line).digests.keys() {
            prop_assert!(path.as_bytes().starts_with(b"f/"));
        }
    }
}
