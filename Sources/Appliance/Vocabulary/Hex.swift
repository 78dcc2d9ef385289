extension String {
    /// The bytes as lower-case hex digits.
    init(hex bytes: some Collection<UInt8>) {
        let digits = Array("0123456789abcdef".utf8)
        self.init(unsafeUninitializedCapacity: bytes.count * 2) { buffer in
            // SAFETY: two digits are written for each byte, which is the capacity asked for.
            var place = 0
            for byte in bytes {
                buffer[place] = digits[Int(byte >> 4)]
                buffer[place + 1] = digits[Int(byte & 15)]
                place += 2
            }
            return place
        }
    }
}
