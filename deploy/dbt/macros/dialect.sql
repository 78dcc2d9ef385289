{# What DuckDB and BigQuery do not say alike. Everything else in the models is the same SQL. #}

{# A sum that is exact or fails: 64 bits again, whatever the engine added in. #}
{% macro exact_sum(expression) -%}
    cast(coalesce(sum({{ expression }}), 0) as {{ dbt.type_bigint() }})
{%- endmacro %}

{# How many rows hold a condition; null counts as no. #}
{% macro count_where(condition) -%}
    cast(sum(case when {{ condition }} then 1 else 0 end) as {{ dbt.type_bigint() }})
{%- endmacro %}

{# The sum over the rows that hold a condition. #}
{% macro sum_where(expression, condition) -%}
    {{ exact_sum('case when ' ~ condition ~ ' then ' ~ expression ~ ' else 0 end') }}
{%- endmacro %}

{# A fraction; null where nothing is divided by. #}
{% macro rate(part, whole) -%}
    cast({{ part }} as {{ type_double() }}) / nullif(cast({{ whole }} as {{ type_double() }}), 0)
{%- endmacro %}

{% macro type_double() -%}{{ adapter.dispatch('type_double', 'tillbox')() }}{%- endmacro %}
{% macro default__type_double() -%}double{%- endmacro %}
{% macro bigquery__type_double() -%}float64{%- endmacro %}

{# The UTC day of a moment. DuckDB's TIMESTAMP has no zone and holds UTC; BigQuery's is a moment. #}
{% macro utc_day(moment) -%}{{ adapter.dispatch('utc_day', 'tillbox')(moment) }}{%- endmacro %}
{% macro default__utc_day(moment) -%}cast({{ moment }} as date){%- endmacro %}
{% macro bigquery__utc_day(moment) -%}date({{ moment }}, 'UTC'){%- endmacro %}

{# The first moment of a day, in UTC. #}
{% macro utc_start(day) -%}{{ adapter.dispatch('utc_start', 'tillbox')(day) }}{%- endmacro %}
{% macro default__utc_start(day) -%}cast({{ day }} as timestamp){%- endmacro %}
{% macro bigquery__utc_start(day) -%}timestamp({{ day }}, 'UTC'){%- endmacro %}

{# Whole days from one to the other. #}
{% macro days_between(first, last) -%}
    {{ adapter.dispatch('days_between', 'tillbox')(first, last) }}
{%- endmacro %}
{% macro default__days_between(first, last) -%}
    date_diff('day', {{ first }}, {{ last }})
{%- endmacro %}
{% macro bigquery__days_between(first, last) -%}
    date_diff({{ last }}, {{ first }}, day)
{%- endmacro %}

{# Milliseconds from one moment to the other. #}
{% macro milliseconds_between(first, last) -%}
    {{ adapter.dispatch('milliseconds_between', 'tillbox')(first, last) }}
{%- endmacro %}
{% macro default__milliseconds_between(first, last) -%}
    date_diff('millisecond', {{ first }}, {{ last }})
{%- endmacro %}
{% macro bigquery__milliseconds_between(first, last) -%}
    timestamp_diff({{ last }}, {{ first }}, millisecond)
{%- endmacro %}

{# A day moved by whole days. #}
{% macro plus_days(day, count) -%}
    {{ adapter.dispatch('plus_days', 'tillbox')(day, count) }}
{%- endmacro %}
{% macro default__plus_days(day, count) -%}
    cast({{ day }} + interval ({{ count }}) day as date)
{%- endmacro %}
{% macro bigquery__plus_days(day, count) -%}
    date_add({{ day }}, interval {{ count }} day)
{%- endmacro %}

{# The first day of the month or the quarter. #}
{% macro first_day(part, day) -%}
    {{ adapter.dispatch('first_day', 'tillbox')(part, day) }}
{%- endmacro %}
{% macro default__first_day(part, day) -%}
    cast(date_trunc('{{ part }}', {{ day }}) as date)
{%- endmacro %}
{% macro bigquery__first_day(part, day) -%}
    cast(date_trunc({{ day }}, {{ part }}) as date)
{%- endmacro %}

{# A row for each day from the first to the last, both included. #}
{% macro each_day(first, last, named) -%}
    {{ adapter.dispatch('each_day', 'tillbox')(first, last, named) }}
{%- endmacro %}
{% macro default__each_day(first, last, named) -%}
    select cast(unnest(generate_series({{ first }}, {{ last }}, interval 1 day)) as date) as {{ named }}
{%- endmacro %}
{% macro bigquery__each_day(first, last, named) -%}
    select {{ named }} from unnest(generate_date_array({{ first }}, {{ last }})) as {{ named }}
{%- endmacro %}
