/// Where Kafka's own clients put a record with a key: murmur2 of the key, without its sign, modulo
/// the number of partitions. Changing that number moves keys, and so breaks their order.
///
/// Source: `org.apache.kafka.common.utils.Utils.murmur2`; librdkafka calls it `murmur2`. A null
/// key is hashed as an empty one and so has one fixed partition.
public enum KafkaPartitioner {
    /// - Parameter count: the topic's partitions, at least one.
    public static func partition(ofKey key: ArraySlice<UInt8>?, count: Int32) -> Int32 {
        precondition(count > 0, "a topic with \(count) partitions")
        return Int32(murmur2(key ?? []) & 0x7FFF_FFFF) % count
    }

    /// The 32-bit hash, which Java shows with a sign.
    public static func murmur2(_ key: ArraySlice<UInt8>) -> UInt32 {
        // SAFETY: the buffer outlives the closure, which reads inside of it.
        key.withUnsafeBytes { bytes in
            let multiplier: UInt32 = 0x5BD1_E995
            var hash: UInt32 = 0x9747_B28C ^ UInt32(truncatingIfNeeded: bytes.count)
            var position = 0
            while position + 4 <= bytes.count {
                var word = UInt32(littleEndian: bytes.loadUnaligned(
                    fromByteOffset: position, as: UInt32.self))
                word &*= multiplier
                word ^= word >> 24
                word &*= multiplier
                hash &*= multiplier
                hash ^= word
                position += 4
            }
            if position < bytes.count {
                for index in (position..<bytes.count).reversed() {
                    hash ^= UInt32(bytes[index]) << (8 * UInt32(index - position))
                }
                hash &*= multiplier
            }
            hash ^= hash >> 13
            hash &*= multiplier
            return hash ^ (hash >> 15)
        }
    }
}
