import Foundation
import TestSupport
import Testing

@Suite("A daemon whose Stripe does not answer")
struct SilentStripeTests {
    @Test("tells who asks for a run or a sweep at once, and leaves no run behind")
    func dead() async throws {
        let dead = try freePort()
        let daemon = try await RunningDaemon(environment: [
            "TILLBOX_STRIPE_API_BASE": "http://127.0.0.1:\(dead)",
            "TILLBOX_STRIPE_API_KEY": "sk_test_tillboxtillboxtillboxtillbox",
        ])
        let begin = ContinuousClock.now
        for verb in ["run", "sweep"] {
            let asked = try await Child.run(
                Tillbox.executable, ["reconcile", verb, "--data", daemon.data],
                environment: ["TILLBOX_ADMIN_PORT": "\(daemon.admin)"])
            #expect(asked.code == 3, "\(asked.output) \(asked.errors)")
            #expect(asked.errors.contains("Stripe does not answer"), "\(asked.errors)")
            #expect(asked.errors.contains("stripe.api_base"), "\(asked.errors)")
        }
        #expect(ContinuousClock.now - begin < .seconds(60))
        let list = try await Tillbox.run("reconcile", "list", "--json", "--data", daemon.data)
        #expect(list.output.contains(#""reconciliations":[]"#), "\(list.output)")
        #expect(daemon.daemon.standardError.contains("Stripe does not answer"))
        try await daemon.stop()
    }
}
