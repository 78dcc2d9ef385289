import Foundation
import Synchronization
import Vocabulary

/// A stateful stand-in for the parts of Stripe's API that payment backends use.
///
/// Every call, over HTTP or in process, is one `APIRequest` that is handled at once under one
/// lock; what it changes becomes events, told in order before the call returns. Calls that change
/// something are written to a journal, if there is one, and read again from it at the next start.
package final class Twin: Sendable {
    private struct Guarded {
        var state: TwinState
        var journal: TwinJournal?
        /// The twin's time of the last call.
        var now: Int64
    }

    private let guarded: Mutex<Guarded>
    private let clock: @Sendable () -> Int64
    private let onEvent: (@Sendable (TwinEvent) -> Void)?

    /// A twin that lives in memory only.
    ///
    /// - Parameters:
    ///   - clock: seconds since 1970; steps back are ignored.
    ///   - onEvent: told each new event, in order and under the twin's lock: it must be quick and
    ///     must not call the twin. Nil spares the writing of bodies until they are asked for.
    package init(
        settings: TwinSettings, clock: @escaping @Sendable () -> Int64 = Twin.systemClock,
        onEvent: (@Sendable (TwinEvent) -> Void)? = nil
    ) {
        let now = clock()
        guarded = Mutex(
            Guarded(state: TwinState(settings: settings, now: now), journal: nil, now: now))
        self.clock = clock
        self.onEvent = onEvent
    }

    /// A twin whose calls are kept in `folder` and made again when it is opened the next time.
    ///
    /// What is made again tells no events, but for those that were never delivered. It is made
    /// again under the settings that held then; these here hold from now on.
    ///
    /// - Parameter deliveries: what is known of them, for events that are still to be delivered;
    ///   they are told before this returns, each to one endpoint. Nil where nobody delivers.
    /// - Throws: where the folder cannot be used, or holds the journal of another seed.
    package init(
        settings: TwinSettings, folder: String, deliveries: DeliveryJournal? = nil,
        clock: @escaping @Sendable () -> Int64 = Twin.systemClock,
        onEvent: (@Sendable (TwinEvent) -> Void)? = nil
    ) throws(TwinError) {
        let journal = try TwinJournal(folder: folder, settings: settings, now: clock())
        var replay = Replay(settings: settings, journal: journal, deliveries: deliveries)
        try journal.read { replay.make($0) }
        try deliveries?.begin(told: replay.told, pending: replay.pending)
        var (state, now) = (replay.state, replay.now)
        if !settings.hasOptions(of: state.settings) {
            // The time until now passes under the options that were.
            now = max(now, clock() + state.ahead)
            _ = state.advance(to: now)
            state.adopt(settings, now: now)
            journal.write(settings.optionsLine(now: now))
        }
        if let onEvent {
            for delivery in replay.pending { state.tellAgain(delivery, onEvent) }
            state.takeUntold(onEvent)
        }
        guarded = Mutex(Guarded(state: state, journal: journal, now: now))
        self.clock = clock
        self.onEvent = onEvent
    }

    /// Makes the calls of a journal again.
    private struct Replay {
        private(set) var state: TwinState
        private(set) var now: Int64
        /// Events told so far.
        private(set) var told = 0
        private(set) var pending: [PendingDelivery] = []
        private let settings: TwinSettings
        private let deliveries: DeliveryJournal?

        init(settings: TwinSettings, journal: TwinJournal, deliveries: DeliveryJournal?) {
            self.settings = settings
            self.deliveries = deliveries
            now = journal.start
            // A journal without options is from before they were kept: what is given now held then.
            var first = settings
            if journal.keepsOptions { first = TwinSettings(keysAndSeedOf: settings) }
            state = TwinState(settings: first, now: journal.start)
        }

        mutating func make(_ entry: TwinJournal.Entry) {
            now = entry.now
            _ = state.advance(to: now)
            if let options = entry.options { state.adopt(options, now: now) }
            if var request = entry.request {
                // It was let in when it was made.
                request.apiKey = settings.apiKeys.first
                state.requests = entry.number - 1
                _ = state.answer(request, now: now)
                now = max(now, state.books[0].now)
            }
            if let deliveries { note(deliveries) }
            state.dropUntold()
        }

        private mutating func note(_ deliveries: DeliveryJournal) {
            guard state.hasUntold else { return }
            for var delivery in state.untoldDeliveries() {
                delivery.endpoints.removeAll {
                    !deliveries.isPending(told, event: delivery.event, endpoint: $0)
                }
                if !delivery.endpoints.isEmpty { pending.append(delivery) }
                told += 1
            }
        }
    }

    /// The machine's clock in seconds since 1970.
    package static let systemClock: @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }

    /// Answers one call.
    package func handle(_ request: APIRequest) -> APIAnswer {
        guarded.withLock { guarded in
            let hasPassed = pass(&guarded)
            let called = guarded.now
            let answer = guarded.state.answer(request, now: called)
            guarded.now = max(called, guarded.state.books[0].now)
            if request.isKept, answer.isPerformed, !answer.isReplayed {
                guarded.journal?.write(
                    .init(now: called, number: guarded.state.requests, request: request))
            } else if hasPassed {
                guarded.journal?.write(.init(now: called))
            }
            tell(&guarded)
            return answer
        }
    }

    /// Lets what is due by now happen: payouts, settlements, deadlines. Every call does so first;
    /// this is for times when nobody calls.
    package func tick() {
        guarded.withLock { guarded in
            guard pass(&guarded) else { return }
            guarded.journal?.write(.init(now: guarded.now))
            tell(&guarded)
        }
    }

    private func pass(_ guarded: inout Guarded) -> Bool {
        guarded.now = max(guarded.now, clock() + guarded.state.ahead)
        return guarded.state.advance(to: guarded.now)
    }

    private func tell(_ guarded: inout Guarded) {
        if let onEvent { guarded.state.takeUntold(onEvent) } else { guarded.state.dropUntold() }
    }

    // MARK: What is asked in process

    /// Where webhooks go now.
    var endpoints: [TwinEndpoint] { guarded.withLock { $0.state.endpoints } }

    /// The twin's own time in seconds since 1970: the clock handed in, and what was advanced.
    var now: Int64 { guarded.withLock { max($0.now, clock() + $0.state.ahead) } }

    /// Why the journal can no longer be written, nil while it can.
    package var journalFailure: TwinError? { guarded.withLock { $0.journal?.failure } }

    /// Available and pending by currency, in minor units.
    func balance(account: String? = nil) -> [Currency: (available: Int64, pending: Int64)] {
        read(account) { books in
            Dictionary(
                uniqueKeysWithValues: books.balanceLines.map {
                    ($0.currency, ($0.available, $0.pending))
                })
        } ?? [:]
    }

    /// What became of a payment intent.
    func result(
        of paymentIntent: String, account: String? = nil
    ) throws(APIRefusal) -> PaymentResult {
        let found = read(account) { books -> PaymentResult? in
            let known: Ref<TwinPaymentIntent>? = books.ref(
                paymentIntent, count: books.intents.count)
            guard let known else { return nil }
            let intent = books.intents[known]
            return PaymentResult(
                paymentIntent: paymentIntent, charge: intent.latestCharge.map { books.id($0) },
                status: intent.status.rawValue, declineCode: intent.failure?.rawValue)
        }
        guard let found, let found else {
            throw TwinBooks.noSuch(
                "payment_intent", paymentIntent, parameter: "intent", status: 404)
        }
        return found
    }

    /// Reads an account's books; nil where there is no such account.
    func read<Result: Sendable>(
        _ account: String? = nil, _ body: @Sendable (TwinBooks) -> Result
    ) -> Result? {
        guarded.withLock { guarded in
            guarded.state.place(of: account).map { body(guarded.state.books[$0]) }
        }
    }
}

extension APIRequest {
    /// Whether the call changes what the journal must bring back.
    fileprivate var isKept: Bool { method.isChanging && path != "/twin/faults" }
}
