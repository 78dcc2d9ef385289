import Vocabulary

/// Numbers as people read them.
package enum Figures {
    /// How long something is over, in the unit that leaves one or two digits.
    package static func ago(seconds: Double) -> String {
        // A clock may have been set back since; and a number beyond an Int is no time.
        let seconds = min(max(seconds, 0), 1e12)
        return switch seconds {
        case ..<90: "\(Int(seconds.rounded())) s ago"
        case ..<5_400: "\(Int((seconds / 60).rounded())) min ago"
        case ..<172_800: "\(Int((seconds / 3_600).rounded())) h ago"
        default: "\(Int((seconds / 86_400).rounded())) d ago"
        }
    }

    /// `1 record`, `12,000 records`
    package static func counted(
        _ count: some BinaryInteger, _ one: String, _ many: String? = nil
    ) -> String {
        "\(grouped(Int(count))) \(Counted.noun(count, one, many))"
    }

    /// With commas between thousands.
    package static func grouped(_ number: Int) -> String {
        var out = ""
        for (index, digit) in String(number).enumerated() {
            let left = String(number).count - index
            if index > 0, left % 3 == 0 { out.append(",") }
            out.append(digit)
        }
        return out
    }
}
