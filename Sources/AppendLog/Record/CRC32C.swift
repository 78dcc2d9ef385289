internal import CChecksum

/// CRC-32C (Castagnoli), the checksum of record batches (RFC 3720, appendix B.4).
public enum CRC32C {
    /// The checksum of `bytes`, computed with the CPU's instruction where it has one.
    ///
    /// - Parameters:
    ///   - bytes: any number, none too.
    ///   - checksum: that of the bytes before these, so that a long run can be summed up piece by
    ///     piece; 0 at the start.
    public static func checksum(
        _ bytes: UnsafeRawBufferPointer, continuing checksum: UInt32 = 0
    ) -> UInt32 {
        // SAFETY: the C function reads `count` bytes from the pointer and keeps neither.
        checksum_crc32c(checksum, bytes.baseAddress, bytes.count)
    }

    /// The checksum of `bytes`, as above.
    public static func checksum(
        _ bytes: ArraySlice<UInt8>, continuing previous: UInt32 = 0
    ) -> UInt32 {
        // SAFETY: the pointer does not leave the closure.
        bytes.withUnsafeBytes { checksum($0, continuing: previous) }
    }

    /// The ways to compute it, which tests hold against each other.
    enum Implementation: CaseIterable {
        case portable, instruction

        /// Whether this machine has it.
        var isAvailable: Bool {
            self == .portable || checksum_crc32c_has_instruction() != 0
        }

        func checksum(_ bytes: UnsafeRawBufferPointer, continuing previous: UInt32 = 0) -> UInt32 {
            precondition(isAvailable, "this CPU has no CRC-32C instruction")
            // SAFETY: as above; and the CPU has the instruction.
            switch self {
            case .portable:
                return checksum_crc32c_portable(previous, bytes.baseAddress, bytes.count)
            case .instruction:
                return checksum_crc32c_instruction(previous, bytes.baseAddress, bytes.count)
            }
        }
    }
}
