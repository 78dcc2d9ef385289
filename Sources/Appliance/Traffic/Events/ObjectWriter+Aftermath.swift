/// Refunds, disputes with their balance transactions, and payouts.
extension ObjectWriter {
    func write(
        _ refund: SimulatedRefund, of charge: SimulatedCharge, in text: SlottedText<RefundSlot>,
        into out: inout JSONBytes
    ) {
        text.write(into: &out) { slot, out in
            switch slot {
            case .refund: quoteID(.refund, refund.refund, into: &out)
            case .amount: out.append(refund.amount)
            case .balanceTransaction:
                quoteID(.balanceTransaction, refund.balanceTransaction, into: &out)
            case .charge: quoteID(.charge, charge.charge, into: &out)
            case .created: out.append(refund.created)
            case .currency: quoteCurrency(charge.currency, into: &out)
            case .destination: writeDestination(of: refund, into: &out)
            case .failure:
                guard refund.status == .failed else { return }
                out.append(raw: "      \"failure_balance_transaction\": ")
                // Only a failed refund has this transaction, so its serial is the refund's own
                // in the half of the numbers that the world's counter never reaches.
                let failure = ObjectSerial(refund.refund.rawValue | 1 << 63)
                quoteID(.balanceTransaction, failure, into: &out)
                out.append(raw: ",\n      \"failure_reason\": \"expired_or_canceled_card\",\n")
            case .paymentIntent: quoteID(.paymentIntent, charge.paymentIntent, into: &out)
            case .reason: out.append(quoted: "requested_by_customer")
            case .status:
                switch refund.status {
                case .pending: out.append(quoted: "pending")
                case .succeeded: out.append(quoted: "succeeded")
                case .failed: out.append(quoted: "failed")
                }
            }
        }
    }

    private func writeDestination(of refund: SimulatedRefund, into out: inout JSONBytes) {
        out.append(raw: "{\n        \"card\": {\n          ")
        if refund.hasReference {
            out.append(raw: "\"reference\": \"")
            out.append(Int64(10_000_000_000 + refund.refund.rawValue % 10_000_000_000))
            out.append(raw: "\",\n          \"reference_status\": \"available\"")
        } else {
            out.append(raw: "\"reference_status\": \"pending\"")
        }
        out.append(raw: ",\n          \"reference_type\": \"acquirer_reference_number\",")
        out.append(raw: "\n          \"type\": \"refund\"\n        },\n        ")
        out.append(raw: "\"type\": \"card\"\n      }")
    }

    func write(_ dispute: SimulatedDispute, into out: inout JSONBytes) {
        let charge = dispute.charge
        disputeText.write(into: &out) { slot, out in
            switch slot {
            case .dispute: quoteID(.dispute, dispute.dispute, into: &out)
            case .amount: out.append(dispute.amount)
            case .balanceTransactions: writeBalanceTransactions(of: dispute, into: &out)
            case .charge: quoteID(.charge, charge.charge, into: &out)
            case .created: out.append(dispute.created)
            case .currency: quoteCurrency(charge.currency, into: &out)
            case .email: quoteEmail(charge.payer, into: &out)
            case .name: out.append(quoted: TwinCatalogue.people[charge.payer.person].name)
            case .address: quoteAddress(of: charge.device, into: &out)
            case .dueBy: out.append(dispute.created + 9 * 86_400)
            case .hasEvidence: out.append(dispute.status != .needsResponse)
            case .submissions: out.append(raw: dispute.status == .needsResponse ? "0" : "1")
            case .refundable: out.append(dispute.isInquiry)
            case .paymentIntent: quoteID(.paymentIntent, charge.paymentIntent, into: &out)
            case .brand: out.append(quoted: TwinCatalogue.brands[charge.payer.brand])
            case .caseType: out.append(quoted: dispute.isInquiry ? "inquiry" : "chargeback")
            case .networkReason:
                out.append(quoted: TwinCatalogue.disputeReasons[dispute.reason].networkCode)
            case .reason: out.append(quoted: TwinCatalogue.disputeReasons[dispute.reason].reason)
            case .status: out.append(quoted: status(of: dispute))
            }
        }
    }

    private func status(of dispute: SimulatedDispute) -> StaticString {
        switch (dispute.status, dispute.isInquiry) {
        case (.needsResponse, false): "needs_response"
        case (.needsResponse, true): "warning_needs_response"
        case (_, true): "warning_closed"
        case (.won, false): "won"
        case (.lost, false): "lost"
        }
    }

    private func writeBalanceTransactions(
        of dispute: SimulatedDispute, into out: inout JSONBytes
    ) {
        guard !dispute.isInquiry else { return out.append(raw: "[]") }
        out.append(raw: "[\n        ")
        let withdrawal = BalanceMovement(
            serial: dispute.withdrawal, amount: -dispute.amount, fee: dispute.fee,
            at: dispute.withdrawnAt, category: "dispute")
        write(withdrawal, of: dispute, into: &out)
        if let serial = dispute.reinstatement {
            out.append(raw: ",\n        ")
            let reinstatement = BalanceMovement(
                serial: serial, amount: dispute.amount,
                fee: dispute.returnsFee ? -dispute.fee : 0, at: dispute.reinstatedAt,
                category: "dispute_reversal")
            write(reinstatement, of: dispute, into: &out)
        }
        out.append(raw: "\n      ]")
    }

    private struct BalanceMovement {
        let serial: ObjectSerial
        let amount: Int64
        let fee: Int64
        let at: Int64
        let category: StaticString
    }

    private func write(
        _ movement: BalanceMovement, of dispute: SimulatedDispute, into out: inout JSONBytes
    ) {
        balanceTransactionText.write(into: &out) { slot, out in
            switch slot {
            case .balanceTransaction: quoteID(.balanceTransaction, movement.serial, into: &out)
            case .amount: out.append(movement.amount)
            case .availableOn: out.append(movement.at + 2 * 86_400)
            case .created: out.append(movement.at)
            case .currency: quoteCurrency(dispute.charge.currency, into: &out)
            case .description:
                out.quote {
                    $0.append(raw: "Chargeback for ")
                    ids.write(.charge, dispute.charge.charge, into: &$0)
                }
            case .fee: out.append(movement.fee)
            case .feeDetails: writeFeeDetails(movement, of: dispute, into: &out)
            case .net: out.append(movement.amount - movement.fee)
            case .category: out.append(quoted: movement.category)
            case .source: quoteID(.dispute, dispute.dispute, into: &out)
            case .type: out.append(quoted: "adjustment")
            }
        }
    }

    private func writeFeeDetails(
        _ movement: BalanceMovement, of dispute: SimulatedDispute, into out: inout JSONBytes
    ) {
        guard movement.fee != 0 else { return out.append(raw: "[]") }
        out.append(raw: "[\n            {\n              \"amount\": ")
        out.append(movement.fee)
        out.append(raw: ",\n              \"application\": null,\n              \"currency\": ")
        quoteCurrency(dispute.charge.currency, into: &out)
        out.append(raw: ",\n              \"description\": \"Dispute fee\",\n              ")
        out.append(raw: "\"type\": \"stripe_fee\"\n            }\n          ]")
    }

    func write(_ payout: SimulatedPayout, into out: inout JSONBytes) {
        let hasFailed = payout.status == .failed
        payoutText.write(into: &out) { slot, out in
            switch slot {
            case .payout: quoteID(.payout, payout.payout, into: &out)
            case .amount: out.append(payout.amount)
            case .arrival: out.append((payout.created / 86_400 + 2) * 86_400)
            case .balanceTransaction:
                quoteID(.balanceTransaction, payout.balanceTransaction, into: &out)
            case .created: out.append(payout.created)
            case .currency: quoteCurrency(payout.currency, into: &out)
            case .destination:
                // Bank accounts are as many as merchants; the world has no serials for them.
                let bank = ObjectSerial(1 << 62 | UInt64(payout.merchant))
                quoteID(.bankAccount, bank, into: &out)
            case .failureTransaction:
                guard hasFailed else { return out.appendNull() }
                quoteID(.balanceTransaction, payout.failureTransaction, into: &out)
            case .failureCode:
                guard hasFailed else { return out.appendNull() }
                out.append(quoted: "account_closed")
            case .failureMessage:
                guard hasFailed else { return out.appendNull() }
                out.append(quoted: "The bank account has been closed.")
            case .reconciliation:
                out.append(quoted: payout.isReconciled ? "completed" : "in_progress")
            case .status:
                switch payout.status {
                case .pending: out.append(quoted: "pending")
                case .paid: out.append(quoted: "paid")
                case .failed: out.append(quoted: "failed")
                }
            case .trace:
                out.append(raw: "{\n        \"status\": \"pending\",\n        ")
                out.append(raw: "\"value\": null\n      }")
            }
        }
    }
}
