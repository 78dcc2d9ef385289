/// Another value for a dead letter that goes back. The letter itself stays as it is; what goes back
/// says that it was edited, by whom, and from what.
///
/// | header | content |
/// | --- | --- |
/// | `edited-by` | who edited it |
/// | `edited-from` | `dead.letter/<offset>`: the letter that has the original |
/// | `edited-sha256` | of the original's value, 64 lower-case hex digits |
package struct RedriveEdit: Hashable, Sendable {
    /// UTF-8, at most ``RedriveLimits/editByteCountMax`` bytes.
    package var value: [UInt8]
    /// Who edited it.
    package var by: String

    package init(value: [UInt8], by: String) {
        self.value = value
        self.by = by
    }
}
