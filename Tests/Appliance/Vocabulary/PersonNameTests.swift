import Testing

@testable import Vocabulary

@Suite("Names that people say of themselves")
struct PersonNameTests {
    @Test("every reserved name is refused in each form of its letters, and no other name is")
    func reserved() throws {
        for name in ReservedNames.all.sorted() {
            for form in [name, name.uppercased(), "\t\(name) ", Self.wide(name)] {
                #expect(throws: PersonName.Refusal.self, "\(form)") {
                    try PersonName.said(form)
                }
            }
        }
        for name in ["ѕсоring", "SCΟRΙΝG", "ехріrу", "lоcаl", "ԁev", "аdmin.token", "ſcoring"] {
            #expect(throws: PersonName.Refusal.reserved(name), "\(name)") {
                try PersonName.said(name)
            }
        }
        // Names in other scripts, and ones that only have a reserved one in them.
        for name in ["Светлана", "Ελένη", "daemon2", "scoringer", "Jörg Müller", "花子"] {
            #expect(try PersonName.said(" \(name)\n") == name)
        }
    }

    @Test("a name is seen whole and has at most 128 bytes")
    func usable() throws {
        let longest = String(repeating: "ä", count: 64)
        #expect(try PersonName.said(longest) == longest)
        for name in ["", " ", longest + "a", "a\nb", "a\u{202E}b", "a\u{200B}"] {
            #expect(throws: PersonName.Refusal.unusable, "\(name)") { try PersonName.said(name) }
        }
    }

    /// In full-width letters, which NFKC makes plain again.
    private static func wide(_ name: String) -> String {
        var wide = String.UnicodeScalarView()
        for scalar in name.unicodeScalars {
            wide.append(Unicode.Scalar(scalar.value + 0xFEE0) ?? scalar)
        }
        return String(wide)
    }
}
