/// One connection to a Redis server as its thread sees it: a stream, a reply reader and what the
/// thread has to wait for. Nothing here waits.
final class RedisLink {
    private let stream: any ByteStream
    private let reader: RedisReplyReader
    private var input = [UInt8](repeating: 0, count: 64 << 10)
    /// The introduction, which goes out before any caller's command.
    private var introduction: [UInt8] = []
    private var introductionWritten = 0
    private(set) var isEstablished = false
    /// What to wait for on `descriptor`.
    private(set) var readiness: Readiness = .toWrite

    /// Begins to connect.
    init(
        to address: SocketAddress, _ configuration: RedisConfiguration
    ) throws(StreamError) {
        let socket = try TCPStream(to: address)
        reader = RedisReplyReader(replyBytesMax: configuration.replyBytesMax)
        guard configuration.isSecure else {
            stream = socket
            return
        }
        let context: TLSContext
        do {
            context = try TLSContext(authorities: configuration.authorities)
        } catch {
            throw .tls(error)
        }
        stream = try TLSStream(over: socket, to: configuration.host, context)
    }

    var descriptor: Int32 { stream.descriptor }

    /// Goes on with the making of the connection.
    ///
    /// - Returns: whether it stands now and did not before.
    func establish() throws(StreamError) -> Bool {
        guard !isEstablished else { return false }
        switch try stream.establish() {
        case .moved:
            isEstablished = true
            readiness = .toRead
            return true
        case .waitsToRead: readiness = .toRead
        case .waitsToWrite: readiness = .toWrite
        case .ended: throw .ended
        }
        return false
    }

    func introduce(_ commands: [RedisCommand]) {
        for command in commands { introduction += command.encoded() }
    }

    /// Reads once.
    ///
    /// - Returns: whether something came; ask for the replies then.
    func read() throws(StreamError) -> Bool {
        readiness = .toRead
        switch try stream.read(into: &input) {
        case .moved(let count):
            reader.feed(input, count: count)
            return true
        case .waitsToRead: return false
        case .waitsToWrite:
            readiness.insert(.toWrite)
            return false
        case .ended: throw .ended
        }
    }

    /// The next whole reply of what was read.
    func nextReply() throws(RedisTrouble) -> RedisReply? { try reader.next() }

    /// Writes the introduction, as far as the socket takes it.
    ///
    /// - Returns: whether all of it is out.
    func writeIntroduction() throws(StreamError) -> Bool {
        while introductionWritten < introduction.count {
            let count = try write(introduction, from: introductionWritten)
            guard count > 0 else { return false }
            introductionWritten += count
        }
        return true
    }

    /// Writes once.
    ///
    /// - Returns: how much was taken; 0 where the socket takes no more for now.
    func write(_ bytes: [UInt8], from start: Int) throws(StreamError) -> Int {
        switch try stream.write(bytes, from: start) {
        case .moved(let count): return count
        case .waitsToRead: readiness.insert(.toRead)
        case .waitsToWrite: readiness.insert(.toWrite)
        case .ended: throw .ended
        }
        return 0
    }
}
