import Vocabulary

/// Orders from one account's books to another's, and what is due in any of them.
extension TwinState {
    /// Lets time pass. What falls due happens in the order of its times, over all accounts.
    ///
    /// - Returns: whether anything happened.
    mutating func advance(to now: Int64) -> Bool {
        var hasActed = false
        while let place = nextDue(by: now), let due = books[place].nextDue {
            hasActed = books[place].advance(to: max(due, books[place].now)) || hasActed
            carryOutOrders()
        }
        for place in books.indices { books[place].catchUp(with: now) }
        return hasActed
    }

    /// The account in which something is due first.
    private func nextDue(by now: Int64) -> Int? {
        var first: (place: Int, due: Int64)?
        for place in books.indices {
            guard let due = books[place].nextDue, due <= now, due < first?.due ?? .max else {
                continue
            }
            first = (place, due)
        }
        return first?.place
    }

    /// Carries out what one account's books ask of another's, also what comes of that.
    mutating func carryOutOrders() {
        while let place = books.firstIndex(where: { !$0.orders.isEmpty }) {
            let order = books[place].orders.removeFirst()
            carryOut(order, of: place)
        }
    }

    private mutating func carryOut(_ order: ConnectOrder, of place: Int) {
        switch order {
        case .pay(let transfer): pay(transfer)
        case .takeBack(let reversal): takeBack(reversal)
        case .earn(let charge): earn(with: charge, of: place)
        case .refundFee(let id, let amount):
            wake(0, for: place)
            if let fee = books[0].placeOfFee[id] {
                _ = books[0].refundFee(fee, amount: amount, isCredited: true)
            }
            books[0].request = nil
        case .creditFee(let refund):
            let amount = books[0].feeRefunds[refund].amount
            let fee = books[0].applicationFees[books[0].feeRefunds[refund].fee]
            let seller = wake(fee.account, for: 0)
            books[seller].credit(
                amount, fee.currency, feeRefund: books[0].id(refund), of: fee.charge)
            books[seller].request = nil
        }
    }

    private mutating func pay(_ ref: Ref<TwinTransfer>) {
        let transfer = books[0].transfers[ref]
        let availableOn = transfer.transaction.map { books[0].transactions[$0].availableOn }
        let seller = wake(transfer.destination, for: 0)
        let payment = books[seller].receive(
            transfer, id: books[0].id(ref), availableOn: availableOn ?? books[0].now)
        books[seller].request = nil
        let id = books[seller].id(payment)
        books[0].transfers[ref].destinationPayment = id
        books[0].tell(.transferCreated, books[0].snapshot(ref))
        guard let fee = transfer.fee else { return }
        books[0].earn(
            TwinApplicationFee(
                created: books[0].now, id: fee, amount: transfer.feeAmount,
                currency: transfer.currency, account: transfer.destination, charge: id,
                originating: transfer.source),
            availableOn: availableOn ?? books[0].now)
    }

    private mutating func takeBack(_ ref: Ref<TwinTransferReversal>) {
        let reversal = books[0].reversals[ref]
        let transfer = books[0].transfers[reversal.transfer]
        let seller = wake(transfer.destination, for: 0)
        let payment: Ref<TwinCharge>? = transfer.destinationPayment.flatMap {
            books[seller].ref($0, count: books[seller].charges.count)
        }
        guard let payment else { preconditionFailure("\(books[0].id(ref)) of no payment") }
        let refund = books[seller].giveBack(
            payment, amount: reversal.amount, for: books[0].id(ref))
        books[seller].request = nil
        books[0].reversals[ref].destinationRefund = books[seller].id(refund)
        let before = transfer.amountReversed - reversal.amount
        let isWhole = transfer.reversible == 0
        books[0].tell(.transferReversed, books[0].snapshot(reversal.transfer)) {
            $0.member("amount_reversed", before)
            if isWhole { $0.member("reversed", false) }
        }
    }

    private mutating func earn(with ref: Ref<TwinCharge>, of place: Int) {
        let charge = books[place].charges[ref]
        guard let traces = charge.traces?.value, let fee = traces.fee,
            let transaction = charge.transaction
        else { preconditionFailure("\(books[place].id(ref)) has no application fee") }
        wake(0, for: place)
        books[0].earn(
            TwinApplicationFee(
                created: books[0].now, id: fee, amount: traces.feeAmount,
                currency: charge.currency, account: books[place].accountID,
                charge: books[place].id(ref)),
            availableOn: books[place].transactions[transaction].availableOn)
        books[0].request = nil
    }

    /// Has the books of an account ready for an order of another's: at the same time, within the
    /// same call.
    private mutating func wake(_ account: String, for other: Int) -> Int {
        guard let place = place(of: account) else {
            preconditionFailure("an order for \(account), which has no books")
        }
        wake(place, for: other)
        return place
    }

    private mutating func wake(_ place: Int, for other: Int) {
        books[place].catchUp(with: books[other].now)
        books[place].request = books[other].request
    }
}
