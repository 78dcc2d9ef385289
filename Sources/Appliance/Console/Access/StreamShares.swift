import HTTPTypes
import Synchronization
import Vocabulary

/// Keeps one user, or one token, from taking all streams of the port: each has a share of them.
///
/// Whoever shows the data folder's token owns the folder, and could take them in other ways.
final class StreamShares: Sendable {
    /// Whose share it is.
    struct Share: Hashable, Sendable {
        fileprivate enum Kind: Hashable { case user, token }

        fileprivate var kind: Kind
        fileprivate var name: String
    }

    private let counts = Mutex<[Share: Int]>([:])

    /// - Returns: nil where the caller has no bound.
    /// - Throws: 429 where all of the caller's are taken.
    func take(for caller: Caller?) throws(Problem) -> Share? {
        guard let share = caller.flatMap(Share.init) else { return nil }
        let isFree = counts.withLock { counts in
            let count = counts[share, default: 0]
            guard count < AccessLimits.streamsPerCallerMax else { return false }
            counts[share] = count + 1
            return true
        }
        guard isFree else {
            throw Problem(
                .tooManyRequests,
                "\(share.name) has \(AccessLimits.streamsPerCallerMax) live pages open already; "
                    + "close one, and load this one again",
                code: "streams_taken", retryAfterSeconds: AccessLimits.streamLookSeconds)
        }
        return share
    }

    func giveBack(_ share: Share) {
        counts.withLock { counts in
            let count = counts[share, default: 0] - 1
            counts[share] = count > 0 ? count : nil
        }
    }
}

extension StreamShares.Share {
    fileprivate init?(_ caller: Caller) {
        switch caller.credential {
        case .session: self.init(kind: .user, name: caller.name)
        case .token: self.init(kind: .token, name: caller.name)
        case .folder: return nil
        }
    }
}
