-- For wrk: payment intents, created and confirmed, each a payment of its own.
wrk.method = "POST"
wrk.path = "/v1/payment_intents"
wrk.body = "amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true"
wrk.headers["Authorization"] = "Bearer sk_test_tillboxtillboxtillboxtillbox"
wrk.headers["Content-Type"] = "application/x-www-form-urlencoded"
