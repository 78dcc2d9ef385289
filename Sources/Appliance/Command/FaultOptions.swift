import ArgumentParser

/// Shares of events that do not arrive as they should, where a command says nothing else.
protocol UsualFaults: Sendable {
    static var duplicates: Double { get }
    static var reorder: Double { get }
    static var loss: Double { get }
    static var badSignatures: Double { get }
}

/// A twin delivers everything unless it is told otherwise.
enum NoFaults: UsualFaults {
    static let duplicates = 0.0
    static let reorder = 0.0
    static let loss = 0.0
    static let badSignatures = 0.0
}

/// The demo shows what the gate is for.
enum DemoFaults: UsualFaults {
    static let duplicates = 0.03
    static let reorder = 0.05
    static let loss = 0.0
    static let badSignatures = 0.01
}

/// What the deliveries of a twin suffer, as options of the commands that run one.
struct FaultOptions<Usual: UsualFaults>: ParsableArguments {
    @Option(help: "Share of events that are delivered twice.")
    var duplicates = Usual.duplicates

    @Option(help: "Share of events that later ones overtake.")
    var reorder = Usual.reorder

    @Option(help: "Share of events that are never delivered, though the API lists them.")
    var loss = Usual.loss

    @Option(
        name: .customLong("bad-signatures"),
        help: "Share of events whose first delivery is signed wrongly or long ago.")
    var badSignatures = Usual.badSignatures

    func validate() throws {
        let shares = [
            ("duplicates", duplicates), ("reorder", reorder), ("loss", loss),
            ("bad-signatures", badSignatures),
        ]
        for (name, share) in shares where !(0..<0.5).contains(share) {
            throw ValidationError("--\(name) is a share from 0 to below 0.5.")
        }
    }

    var faults: DeliveryFaults {
        DeliveryFaults(
            duplicates: duplicates, reorder: reorder, loss: loss, badSignatures: badSignatures)
    }
}

extension DeliveryFaults {
    /// Shares of all events.
    ///
    /// - Parameter badSignatures: one half is signed with a wrong secret, the other long ago.
    init(duplicates: Double, reorder: Double, loss: Double, badSignatures: Double) {
        self.init()
        self[.duplicate].share = duplicates
        self[.reorder].share = reorder
        self[.loss].share = loss
        self[.wrongSignature].share = badSignatures / 2
        self[.staleTimestamp].share = badSignatures / 2
    }
}
