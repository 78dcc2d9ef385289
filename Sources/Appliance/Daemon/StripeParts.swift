import Appliance
import Reconcile
import Vocabulary

/// Puts together what asks Stripe's API.
struct StripeParts {
    let reach: StripeReach
    private let plane: EmbeddedPlane
    private let store: StatementStore
    private let clock: StripeClock
    /// Both nil without an API key.
    private let transport: HTTPStripeTransport?
    private let client: StripeClient?

    init(_ plane: EmbeddedPlane, _ ledger: SQLiteLedger) {
        let base = plane.settings.stripeBase
        let clock = StripeClock(plane.clock)
        let reach = StripeReach(base: base, clock: plane.clock, logger: plane.logger)
        transport = plane.settings.stripeKey.map {
            HTTPStripeTransport(base: base, key: $0, clock: clock, reach: reach)
        }
        client = transport.map { StripeClient(transport: $0) }
        (self.plane, self.clock, self.reach) = (plane, clock, reach)
        store = StatementStore(of: ledger)
    }

    /// Whether some endpoint takes events of a mode.
    private var accepts: @Sendable (_ livemode: Bool) -> Bool {
        let endpoints = plane.settings.endpoints
        return { mode in endpoints.contains { $0.livemode.accepts(mode) } }
    }

    /// - Parameter seen: for who only looks.
    func reconciler(readingLedgerAt path: String, seen: SQLiteLedgerReader) -> Reconciler {
        Reconciler(
            settings: plane.settings.reconcile, client: client, store: store,
            seen: StatementStore(of: seen),
            openLedger: { try SQLiteLedgerReader.open(path: path) },
            admission: plane.admission, accepts: accepts, clock: plane.clock, stripeClock: clock,
            counters: plane.counters, logger: plane.logger)
    }

    func refunds() -> RefundDesk? { transport.map { RefundDesk(stripe: $0) } }

    /// nil without an API key, or where it is switched off.
    func chargeFetch() -> ChargeFetch? {
        let settings = plane.settings.reconcile
        guard let client, settings.chargeWaitSeconds > 0 else { return nil }
        let sweep = EventSweep(
            client: client, store: store, admission: plane.admission, accepts: accepts,
            limits: settings.sweep, clock: plane.clock, stripeClock: clock,
            counters: plane.counters, logger: plane.logger)
        return ChargeFetch(
            validated: plane.followed(.paymentValidated), sweep: sweep,
            waitSeconds: settings.chargeWaitSeconds, clock: plane.clock,
            counters: plane.counters, logger: plane.logger)
    }
}
