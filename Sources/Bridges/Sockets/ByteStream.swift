/// What a call that never waits came to.
public enum StreamStep: Hashable, Sendable {
    /// So many bytes went through; 0 where a connection was made.
    case moved(Int)
    /// Nothing: call again when the socket can be read.
    case waitsToRead
    /// Nothing: call again when the socket takes bytes.
    case waitsToWrite
    /// The peer has ended the connection.
    case ended
}

/// A connection of bytes whose calls never wait. It belongs to one thread at a time.
public protocol ByteStream: AnyObject {
    /// The socket, to wait on; it is closed with this object.
    var descriptor: Int32 { get }

    /// Goes on with the making of the connection; `.moved(0)` when it stands.
    func establish() throws(StreamError) -> StreamStep

    /// Reads at most `buffer.count` bytes to its beginning.
    func read(into buffer: inout [UInt8]) throws(StreamError) -> StreamStep

    /// Writes from `start` on, perhaps a part of it.
    ///
    /// What `.moved` does not count, the peer has not got in a form that it can use.
    func write(_ bytes: [UInt8], from start: Int) throws(StreamError) -> StreamStep
}

/// Why a connection of bytes is not there any more.
public enum StreamError: Error, Hashable, Sendable {
    /// The calls into the system that may fail.
    public enum Call: String, Hashable, Sendable { case socket, connect, read, write }

    /// The name has no address; the text is the resolver's.
    case unknownName(String, reason: String)
    case system(Call, code: Int32)
    /// The peer ended it before it stood, or before all was there.
    case ended
    case deadline
    case tls(TLSError)

    /// Whether the same may succeed later without anybody mending anything.
    public var isRetryable: Bool {
        if case .tls(let error) = self { error.isRetryable } else { true }
    }
}

extension StreamError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unknownName(let name, let reason): "the name \(name) has no address (\(reason))"
        case .system(let call, let code): "\(call.rawValue): \(SystemCode.text(code))"
        case .ended: "the peer ended the connection"
        case .deadline: "the time for it is over"
        case .tls(let error): error.description
        }
    }
}
