{# The kinds of the ledger's movements, as the daemon's reports add them up. #}
{% macro movement_group(kind) -%}
    case
        when {{ kind }} in ('payment', 'capture_grown') then 'volume'
        when {{ kind }} in ('refund', 'refund_failed', 'refund_released', 'refund_restored')
            then 'refund'
        when {{ kind }} in ('dispute_withdrawn', 'dispute_reinstated') then 'dispute'
        when {{ kind }} = 'payment_reversed' then 'reversal'
        when {{ kind }} in ('payout', 'payout_failed', 'payout_debit', 'payout_debit_failed')
            then 'payout'
        when {{ kind }} = 'fee' then 'fee'
        when {{ kind }} in ('transfer', 'transfer_reversed', 'transfer_payment',
            'application_fee', 'application_fee_refunded', 'topup', 'topup_reversed') then 'transfer'
        when {{ kind }} in ('held', 'released', 'review_approved', 'review_declined',
            'refund_settled', 'refund_unsettled') then 'review'
        else 'other'
    end
{%- endmacro %}

{# What a movement adds to what was refunded, disputed or reversed: takes count, giving back too. #}
{% macro refunded(prefix='') -%}
    {{ signed_moved(prefix, ['refund', 'refund_restored'], ['refund_failed', 'refund_released']) }}
{%- endmacro %}
{% macro disputed(prefix='') -%}
    {{ signed_moved(prefix, ['dispute_withdrawn'], ['dispute_reinstated']) }}
{%- endmacro %}
{% macro signed_moved(prefix, more, less) -%}
    case
        when {{ prefix }}kind in ('{{ more | join("', '") }}') then {{ prefix }}moved
        when {{ prefix }}kind in ('{{ less | join("', '") }}') then -{{ prefix }}moved
        else 0
    end
{%- endmacro %}

{# What came until a day's end, by Stripe account and currency. #}
{% macro running_sum(expression) -%}
    cast(sum({{ expression }}) over (
        partition by stripe_account, currency order by day
        rows between unbounded preceding and current row
    ) as {{ dbt.type_bigint() }})
{%- endmacro %}
