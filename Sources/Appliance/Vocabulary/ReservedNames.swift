import Foundation

/// Names that the daemon writes itself, where else a person's or a program's stands.
///
/// Nobody may be called so: what a machine did would pass for a person's act, and a person's for a
/// machine's. Case makes no difference, nor do letters that are another form of the same (`ſ`) or
/// of another script and look the same (the Cyrillic `с`).
package enum ReservedNames {
    /// Whoever looks after the payments: the scoring that opens a review, and releases it again.
    package static let scoring = "scoring"
    /// The clock by which a review that nobody decides is declined.
    package static let expiry = "expiry"
    /// The process, as the audit log has it.
    package static let daemon = "daemon"
    /// Who shows the data folder's token.
    package static let folder = "local"
    /// Who shows the token of `admin.token_file`.
    package static let adminToken = "admin.token"
    /// Who came in by the setup link without an account, in the profile dev.
    package static let guest = "dev"

    /// What decides, and is nobody.
    private static let machines: Set = [scoring, expiry, daemon]
    /// All of them.
    package static let all = machines.union([folder, adminToken, guest])

    /// Whether no person decides under this name.
    package static func isMachine(_ name: String) -> Bool { machines.contains(folded(name)) }

    /// Whether no account, and no token, may have this name.
    package static func isReserved(_ name: String) -> Bool { all.contains(folded(name)) }

    private static func folded(_ name: String) -> String {
        var folded = String.UnicodeScalarView()
        for scalar in name.precomposedStringWithCompatibilityMapping.unicodeScalars {
            folded.append(latin[scalar] ?? scalar)
        }
        return String(folded).lowercased()
    }

    /// Letters of other scripts that stand for a Latin one in the reserved names: those of Unicode
    /// Technical Standard #39 (`confusables.txt`) for the letters that these names are made of.
    private static let latin: [Unicode.Scalar: Unicode.Scalar] = {
        let pairs: [(of: String, like: Unicode.Scalar)] = [
            ("АΑ", "A"), ("аαɑ", "a"), ("СϹ", "C"), ("сϲ", "c"), ("ԁ", "d"), ("ЕΕ", "E"),
            ("еҽ", "e"), ("Ԍ", "G"), ("ɡց", "g"), ("ІΙӀ", "I"), ("іιıɩ", "i"), ("КΚ", "K"),
            ("ӏ", "l"), ("МΜ", "M"), ("Ν", "N"), ("ոռ", "n"), ("ОΟՕ", "O"), ("оοօ", "o"),
            ("РΡ", "P"), ("рρ", "p"), ("гⲅ", "r"), ("Ѕ", "S"), ("ѕ", "s"), ("ТΤ", "T"),
            ("Ѵ", "V"), ("ѵν", "v"), ("ХΧ", "X"), ("хχ", "x"), ("УΥ", "Y"), ("уγ", "y"),
        ]
        var latin: [Unicode.Scalar: Unicode.Scalar] = [:]
        for pair in pairs { for scalar in pair.of.unicodeScalars { latin[scalar] = pair.like } }
        return latin
    }()

    /// For a sentence.
    package static let machineWords = machines.sorted().joined(separator: ", ")
}
