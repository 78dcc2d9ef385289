-- One row a transaction and currency: what it moved, and which payment it is about.
with entries as (
    select * from {{ ref('stg_ledger_entries') }}
),

moved as (
    select
        transaction_id,
        currency,
        max(movement) as movement,
        max(kind) as kind,
        max(event_id) as event_id,
        max(effective_on) as effective_on,
        max(effective_at) as effective_at,
        max(posted_at) as posted_at,
        max(merchant_id) as merchant_id,
        -- A transfer also names the account on its other side.
        coalesce(
            max(case when account_class = 'processor' then stripe_account end),
            max(stripe_account)
        ) as stripe_account,
        cast(count(*) as {{ dbt.type_bigint() }}) as entries,
        {{ sum_where('amount', 'amount > 0') }} as debits,
        {{ sum_where('amount', "account_class = 'processor'") }} as processor_change,
        {{ sum_where('amount', "account_class = 'fees'") }} as fees,
        {{ count_where("account_class = 'fees'") }} as fee_entries,
        -- Beside the processor and its fees, each side by itself.
        {{ sum_where('amount', "amount > 0 and account_class not in ('processor', 'fees')") }}
            as other_debits,
        {{ sum_where('-amount', "amount < 0 and account_class not in ('processor', 'fees')") }}
            as other_credits,
        {{ sum_where('amount', "account_class = 'bank'") }} as bank_change,
        {{ sum_where('amount', "account_class = 'payable'") }} as payable_change,
        {{ sum_where('amount', "account_class = 'held'") }} as held_change,
        {{ sum_where('amount', "account_class = 'refund_due'") }} as refund_due_change
    from entries
    group by transaction_id, currency
),

-- The ledger's own movements bear the key of the one they follow, and a number behind a #.
rooted as (
    select
        moved.*,
        regexp_replace(
            regexp_replace(
                regexp_replace(movement, '#.*$', ''),
                '^(held|released|review_approved|review_declined|capture_grown):', ''
            ),
            '^refund_(settled|unsettled|released|restored|failed):', 'refund:'
        ) as root
    from moved
),

named as (
    select
        rooted.*,
        substr(root, strpos(root, ':') + 1) as root_id
    from rooted
),

-- Which object a line of the statement is about: the line names it as its source, or Stripe was
-- asked for the charge.
lines as (
    select
        settlement_id,
        coalesce(told_charge_id, source_id) as object_id
    from {{ ref('stg_settlements') }}
),

-- The charge of each refund and dispute, by the object's id.
charges as (
    select id as object_id, charge_id from {{ source('stripe', 'refund') }}
    where charge_id is not null
    union all
    select id as object_id, charge_id from {{ source('stripe', 'dispute') }}
),

objects as (
    select
        named.*,
        -- Fees, disputes and reversals by the statement have the line's id in their key.
        coalesce(lines.object_id, named.root_id) as object_id
    from named
    left join lines on lines.settlement_id = named.root_id
),

charged as (
    select
        objects.*,
        'charge:' || coalesce(charges.charge_id, objects.object_id) as charge_key
    from objects
    left join charges on charges.object_id = objects.object_id
)

select
    cast(charged.transaction_id as {{ dbt.type_string() }}) || ':' || charged.currency
        as ledger_movement_id,
    charged.transaction_id,
    charged.movement,
    charged.kind,
    {{ movement_group('charged.kind') }} as movement_group,
    charged.event_id,
    charged.effective_on,
    charged.effective_at,
    charged.posted_at,
    charged.currency,
    payments.payment,
    coalesce(charged.merchant_id, payments.merchant_id, '{{ var("no_merchant") }}') as merchant_id,
    charged.stripe_account,
    charged.entries,
    charged.debits,
    greatest(charged.other_debits, charged.other_credits) as moved,
    charged.fees,
    charged.fee_entries > 0 as has_fees,
    charged.processor_change,
    charged.bank_change,
    charged.payable_change,
    charged.held_change,
    charged.refund_due_change
from charged
left join {{ ref('stg_payments') }} as payments on payments.payment = charged.charge_key
