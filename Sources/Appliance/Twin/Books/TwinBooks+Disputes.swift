import Vocabulary

/// Disputes:
///
/// ```
/// inquiry   warning_needs_response ─▶ warning_under_review ─▶ warning_closed
///                     └──── escalated ────┐
/// dispute   (money and fee taken) needs_response ─▶ under_review ─▶ won (money back) or lost
/// ```
extension TwinBooks {
    /// Days until an inquiry that nobody escalates is closed.
    static let inquiryDays: Int64 = 120

    /// Opens the dispute that this test card stands for, if it is one of those.
    mutating func dispute(asTestCard charge: Ref<TwinCharge>) {
        guard case .disputes(let reason, let isInquiry) = behaviour(of: charge),
            charges[charge].dispute == nil
        else { return }
        _ = dispute(
            charge, amount: charges[charge].amountCaptured, reason: reason, isInquiry: isInquiry)
    }

    mutating func dispute(
        _ charge: Ref<TwinCharge>, amount: Int64, reason: String, isInquiry: Bool
    ) -> Ref<TwinDispute> {
        let due = (now / TwinBalance.daySeconds + settings.disputeDays) * TwinBalance.daySeconds
        let ref = disputes.append(
            TwinDispute(
                created: now, amount: amount, currency: charges[charge].currency, charge: charge,
                reason: reason, status: isInquiry ? .warningNeedsResponse : .needsResponse,
                dueBy: due + TwinBalance.daySeconds - 1))
        charges[charge].dispute = ref
        if isInquiry {
            tell(.disputeCreated, snapshot(ref))
            agenda.add(.inquiryEnds(ref), at: now + Self.inquiryDays * TwinBalance.daySeconds)
        } else {
            withdraw(ref)
            tell(.disputeCreated, snapshot(ref))
            tell(.disputeFundsWithdrawn, snapshot(ref))
            agenda.add(.disputeExpires(ref), at: disputes[ref].dueBy)
        }
        return ref
    }

    private mutating func withdraw(_ ref: Ref<TwinDispute>) {
        let dispute = disputes[ref]
        let transaction = book(
            .adjustment, -dispute.amount, fee: settings.fees.dispute(in: dispute.currency),
            dispute.currency, from: .dispute(ref))
        settle(transaction)
        disputes[ref].transactions.append(transaction)
    }

    /// The bank is not content with the answer to its inquiry and takes the money.
    mutating func escalate(_ ref: Ref<TwinDispute>) {
        guard disputes[ref].status.isWarning, !disputes[ref].status.isClosed else { return }
        let before = disputes[ref].status
        disputes[ref].status = .needsResponse
        withdraw(ref)
        tell(.disputeUpdated, snapshot(ref)) { $0.member("status", before.rawValue) }
        tell(.disputeFundsWithdrawn, snapshot(ref))
        agenda.add(.disputeExpires(ref), at: disputes[ref].dueBy)
    }

    /// Adds evidence, and hands it in if asked to. Stripe's test mode reads `uncategorized_text`
    /// for what the bank shall say.
    mutating func answer(
        _ ref: Ref<TwinDispute>, evidence: [FormField], metadata: [FormField]?, submits: Bool
    ) {
        let before = disputes[ref]
        for field in evidence {
            disputes[ref].evidence.removeAll { $0.name == field.name }
            if !field.value.isEmpty { disputes[ref].evidence.append(field) }
        }
        if let metadata { disputes[ref].metadata = metadata }
        if submits, before.status == .needsResponse || before.status == .warningNeedsResponse {
            disputes[ref].submissionCount += 1
            disputes[ref].status = before.status.isWarning ? .warningUnderReview : .underReview
        }
        let isSubmitted = disputes[ref].status != before.status
        tell(.disputeUpdated, snapshot(ref)) {
            if isSubmitted { $0.member("status", before.status.rawValue) }
        }
        if isSubmitted { scheduleDecision(of: ref) }
    }

    private mutating func scheduleDecision(of ref: Ref<TwinDispute>) {
        let text = disputes[ref].evidence.first { $0.name == "uncategorized_text" }?.value
        let due = now + Self.bankSeconds
        switch text {
        case "winning_evidence":
            let isWarning = disputes[ref].status.isWarning
            agenda.add(
                isWarning ? .inquiryEnds(ref) : .disputeDecided(ref, isWon: true), at: due)
        case "losing_evidence": agenda.add(.disputeDecided(ref, isWon: false), at: due)
        case "escalate_inquiry_evidence": escalate(ref)
        default: break
        }
    }

    /// Nobody answered before the deadline.
    mutating func expireDispute(_ ref: Ref<TwinDispute>) {
        if disputes[ref].status == .needsResponse { closeDispute(ref, .lost) }
    }

    /// The bank's decision, or the merchant's to accept the dispute.
    ///
    /// - Parameters:
    ///   - reinstated: of one that is won, what comes back; all of it by default.
    ///   - returnsFee: as the fees say by default.
    mutating func closeDispute(
        _ ref: Ref<TwinDispute>, _ status: TwinDispute.Status, reinstated: Int64? = nil,
        returnsFee: Bool? = nil
    ) {
        let before = disputes[ref]
        guard !before.status.isClosed, before.status.isWarning == status.isWarning else { return }
        disputes[ref].status = status
        if status == .won {
            let returned = returnsFee ?? settings.fees.returnsDisputeFee
            let transaction = book(
                .adjustment, reinstated ?? before.amount,
                fee: returned ? -settings.fees.dispute(in: before.currency) : 0, before.currency,
                from: .dispute(ref), isReversal: true)
            settle(transaction)
            disputes[ref].transactions.append(transaction)
        }
        tell(.disputeClosed, snapshot(ref)) { $0.member("status", before.status.rawValue) }
        if status == .won { tell(.disputeFundsReinstated, snapshot(ref)) }
    }
}
