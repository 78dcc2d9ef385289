-- One row a UTC day, from the first on which anything happened to the last, without a gap.
with days as (
    select created_on as day from {{ ref('stg_payments') }}
    union all
    select effective_on from {{ ref('stg_ledger_entries') }}
    union all
    select created_on from {{ ref('stg_settlements') }}
    union all
    select dt from {{ source('tillbox', 'reconciliation_breaks') }}
    union all
    select dt from {{ source('tillbox', 'reviews') }}
    union all
    select dt from {{ source('stripe', 'dispute') }}
),

bounds as (
    select min(day) as first_day, max(day) as last_day from days
),

calendar as (
    {{ each_day('(select first_day from bounds)', '(select last_day from bounds)', 'day') }}
)

select
    day,
    {{ utc_start('day') }} as starts_at,
    {{ utc_start(plus_days('day', 1)) }} as ends_before,
    cast(extract(year from day) as {{ dbt.type_bigint() }}) as year,
    cast(extract(quarter from day) as {{ dbt.type_bigint() }}) as quarter,
    cast(extract(month from day) as {{ dbt.type_bigint() }}) as month,
    cast(extract(day from day) as {{ dbt.type_bigint() }}) as day_of_month,
    {{ first_day('month', 'day') }} as month_starts_on,
    {{ first_day('quarter', 'day') }} as quarter_starts_on,
    -- ISO 8601: Monday is 1. 1970-01-05 was one; days before it have to count backwards.
    mod(mod(cast({{ days_between("date '1970-01-05'", 'day') }} as {{ dbt.type_bigint() }}), 7) + 7, 7)
        + 1 as iso_day_of_week,
    {{ plus_days('day', 1) }} = {{ first_day('month', plus_days('day', 1)) }} as is_month_end
from calendar
