/// Why a plane cannot store or read now what it was asked to. Its own errors end here: who only
/// uses a plane need not know which it is.
package enum StoreFailure: Error, Hashable, Sendable {
    // Passing: the same call may succeed later.
    /// Nothing of it was kept; it goes on as soon as there is space.
    case outOfSpace
    /// As much waits to be stored as may.
    case queueFull
    /// Somebody else has claimed the same event and has not said yet what became of it.
    case pending
    /// A server that this process is only a client of does not answer, or refuses: in an operator's
    /// words. It ends when that server does its work again.
    case outside(String)
    /// A server or the log takes everything else, but not so large a record; in an operator's
    /// words.
    case tooLarge(String)
    /// This one record is refused for itself, and others are not; in an operator's words.
    case refused(String)

    // Not in this process any more.
    /// It shuts down.
    case stopping
    /// In the plane's own words, for an operator.
    case broken(String)

    /// Whether the same call may succeed later without anybody mending anything but disk space,
    /// or what keeps one event out, while others pass.
    package var isRetryable: Bool {
        switch self {
        case .outOfSpace, .queueFull, .pending, .outside, .tooLarge, .refused: true
        case .stopping, .broken: false
        }
    }

    /// Why this record alone is not stored, so that whoever stores many goes on with the others;
    /// nil where it is nothing about the record.
    package var reasonOfRecord: String? {
        switch self {
        case .tooLarge(let why): "too large: \(why)"
        case .refused(let why): why
        case .pending: "under way: \(self)"
        case .outOfSpace, .queueFull, .outside, .stopping, .broken: nil
        }
    }
}

extension StoreFailure: CustomStringConvertible {
    package var description: String {
        switch self {
        case .outOfSpace: "there is no space left"
        case .queueFull: "too much waits to be stored"
        case .pending:
            "somebody else has claimed the same event and has not said what became of it; where "
                + "that one was killed, the claim ends within half a minute: try again then"
        case .stopping: "it is shutting down"
        case .broken(let why), .outside(let why), .tooLarge(let why), .refused(let why): why
        }
    }
}
