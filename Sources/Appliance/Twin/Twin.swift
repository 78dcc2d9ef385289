import Foundation
import Synchronization

/// A stateful stand-in for the parts of Stripe's API that payment backends use.
///
/// Every call, over HTTP or in process, is one `APIRequest` that is handled at once under one
/// lock; what it changes becomes events, told in order before the call returns.
final class Twin: Sendable {
    /// - Parameters:
    ///   - clock: seconds since 1970; steps back are ignored.
    ///   - onEvent: told each new event, in order and under the twin's lock: it must be quick and
    ///     must not call the twin. Nil spares the writing of bodies until they are asked for.
    init(
        settings: TwinSettings, clock: @escaping @Sendable () -> Int64 = Twin.systemClock,
        onEvent: (@Sendable (TwinEvent) -> Void)? = nil
    ) {
    }

    /// The machine's clock in seconds since 1970.
    static let systemClock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }

    /// Answers one call.
    func handle(_ request: APIRequest) -> APIAnswer {
        APIAnswer(status: 501, body: [], requestID: "")
    }

    /// Where webhooks go now.
    var endpoints: [TwinEndpoint] { [] }

    /// The twin's own time in seconds since 1970: the clock handed in, and what was advanced.
    var now: Int64 { 0 }

    /// Lets what is due by now happen: payouts, settlements, deadlines. Every call does so first;
    /// this is for times when nobody calls.
    func tick() {}
}
