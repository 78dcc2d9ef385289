/// Numbers as people read them.
package enum Figures {
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
