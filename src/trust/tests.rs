//! What is let in, and above all what is not.

use super::*;

const MTP: UsbId = UsbId { vendor: 0x46f4, product: 0x0004 };

fn interface(class: &str) -> UsbInterface {
    UsbInterface { configuration: 1, number: 0, class: class.parse().unwrap(), name: None }
}

fn device(classes: &[&str]) -> UsbDevice {
    UsbDevice {
        port: "1-1.3".parse().unwrap(),
        address: 5,
        id: MTP,
        release: 0x0100,
        class: UsbClass::new(0, 0, 0),
        interfaces: classes.iter().map(|class| interface(class)).collect(),
        authorised: true,
        maker: None,
        product: Some("Bodycam 3".into()),
        serial: Some("BWC-0001".into()),
    }
}

fn named(how: ModelMark) -> Policy {
    Policy { models: vec![Model { how, named_by: "a profile".into() }], ..Policy::default() }
}

fn refusal(policy: &Policy, device: &UsbDevice) -> Refusal {
    match policy.judge(device, &[]) {
        Decision::Refused(refusal) => refusal,
        Decision::Camera(kind) => panic!("let in as {kind:?}"),
    }
}

#[test]
fn a_named_model_is_let_in_as_what_it_is() {
    for policy in [named(ModelMark::Id(MTP)), named(ModelMark::Product("Bodycam 3".into()))] {
        for (classes, kind) in [
            (&["06/01/01"][..], Kind::Ptp),
            (&["08/06/50"], Kind::Storage),
            (&["08/06/50", "08/06/62"], Kind::Storage),
            (&["08/06/50", "06/01/01"], Kind::Ptp),
        ] {
            assert_eq!(policy.judge(&device(classes), &[]), Decision::Camera(kind), "{classes:?}");
        }
    }
}

#[test]
fn nobody_else_is_let_in_by_default() {
    let policy = named(ModelMark::Product("Another".into()));
    for (classes, expected) in [
        (&["03/01/01"][..], "a keyboard (03/01/01)"),
        (&["03/00/00"], "an input device"),
        (&["02/06/00", "0a/00/00"], "a modem or network adapter"),
        (&["e0/01/03"], "network adapter"),
        (&["ff/ff/00"], "its maker's own kind"),
        (&["09/00/00"], "it is a hub"),
        (&[], "shows no interface"),
        (&["08/06/50"], "mass storage of a model (46f4:0004) that nobody named"),
        (&["08/04/00"], "an unusual storage device"),
        (&["06/01/01"], "a camera of a model (46f4:0004) that nobody named"),
    ] {
        let refusal = refusal(&policy, &device(classes));
        assert!(refusal.to_string().contains(expected), "{classes:?}: {refusal}");
        assert!(refusal.next_step().len() > 10);
    }
    assert!(matches!(
        refusal(&Policy::default(), &device(&["06/01/01"])),
        Refusal::UnknownModel { .. }
    ));
}

#[test]
fn a_camera_that_is_something_else_too_is_refused_even_if_its_model_is_named() {
    let policy = named(ModelMark::Id(MTP));
    for class in ["03/01/01", "02/02/01", "ff/42/01", "0e/01/00", "fe/01/01"] {
        // Whether in the same configuration or in one it could change to.
        let mut bad = device(&["06/01/01", class]);
        bad.interfaces[1].configuration = 2;
        let refusal = refusal(&policy, &bad);
        assert_eq!(refusal, Refusal::Interface { class: class.parse().unwrap(), named: true });
        assert!(refusal.next_step().contains(class), "{}", refusal.next_step());
    }
    let tolerant = Policy { tolerated: vec!["ff/42/01".parse().unwrap()], ..policy };
    assert_eq!(
        tolerant.judge(&device(&["06/01/01", "ff/42/01"]), &[]),
        Decision::Camera(Kind::Ptp)
    );
    assert_eq!(refusal(&tolerant, &device(&["ff/42/01"])), Refusal::NoCamera);
    // Tolerance is for named models only.
    let other = Policy { models: Vec::new(), unknown_ptp: true, ..tolerant };
    assert!(matches!(
        refusal(&other, &device(&["06/01/01", "ff/42/01"])),
        Refusal::Interface { named: false, .. }
    ));
}

#[test]
fn a_hub_is_refused_whatever_else_it_claims_to_be() {
    let mut hub = device(&["06/01/01"]);
    hub.class = UsbClass::new(9, 0, 1);
    assert_eq!(refusal(&named(ModelMark::Id(MTP)), &hub), Refusal::Hub);
}

#[test]
fn unknown_models_may_be_let_in_as_ptp_but_never_as_storage() {
    let policy = Policy { unknown_ptp: true, ..Policy::default() };
    assert_eq!(policy.judge(&device(&["06/01/01"]), &[]), Decision::Camera(Kind::Ptp));
    for classes in [&["08/06/50"][..], &["08/06/62"]] {
        assert!(matches!(refusal(&policy, &device(classes)), Refusal::UnknownModel { .. }));
    }
}

#[test]
fn vendor_classes_need_the_word_the_model_and_the_permission() {
    let mut camera = device(&["ff/ff/00"]);
    camera.interfaces[0].name = Some("MTP".into());
    let policy = Policy { vendor_mtp: true, ..named(ModelMark::Id(MTP)) };
    assert_eq!(policy.judge(&camera, &[]), Decision::Camera(Kind::VendorMtp));
    assert!(matches!(refusal(&named(ModelMark::Id(MTP)), &camera), Refusal::Interface { .. }));
    let stranger = Policy { models: Vec::new(), unknown_ptp: true, ..policy.clone() };
    assert!(matches!(refusal(&stranger, &camera), Refusal::Interface { named: false, .. }));
    camera.interfaces[0].name = Some("Serial".into());
    assert!(matches!(refusal(&policy, &camera), Refusal::Interface { named: true, .. }));
}

#[test]
fn bays_and_enrolment_narrow_further() {
    let policy = named(ModelMark::Id(MTP));
    let camera = device(&["06/01/01"]);
    let other = UsbId { vendor: 1, product: 2 };
    assert_eq!(policy.judge(&camera, &[other]), Decision::Refused(Refusal::OtherBay { id: MTP }));
    assert_eq!(policy.judge(&camera, &[other, MTP]), Decision::Camera(Kind::Ptp));
    let strict = Policy { serials: Some(vec!["BWC-0002".into()]), ..policy };
    let serial = Some("BWC-0001".into());
    assert_eq!(refusal(&strict, &camera), Refusal::NotEnrolled { serial });
    let nameless = UsbDevice { serial: None, ..camera.clone() };
    assert_eq!(refusal(&strict, &nameless), Refusal::NotEnrolled { serial: None });
    let known = UsbDevice { serial: Some("BWC-0002".into()), ..camera };
    assert_eq!(strict.judge(&known, &[]), Decision::Camera(Kind::Ptp));
}
