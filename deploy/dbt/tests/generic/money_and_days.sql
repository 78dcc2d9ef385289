{# A column of amounts comes to zero in each group. #}
{% test sums_to_zero(model, column_name, by) %}
    select {{ by | join(', ') }}, sum({{ column_name }}) as difference
    from {{ model }}
    group by {{ by | join(', ') }}
    having sum({{ column_name }}) <> 0
{% endtest %}

{# The day is the UTC day of the moment, whatever zone the session or the project is in. #}
{% test is_utc_day_of(model, column_name, moment) %}
    {% set moment = adapter.quote(moment) %}
    select *
    from {{ model }}
    where {{ column_name }} <> {{ utc_day(moment) }}
        or not ({{ moment }} >= {{ utc_start(column_name) }}
            and {{ moment }} < {{ utc_start(plus_days(column_name, 1)) }})
{% endtest %}

{# A sentence that holds for every row; null is no. #}
{% test holds(model, expression) %}
    select * from {{ model }} where not coalesce({{ expression }}, false)
{% endtest %}

{# None of the columns is ever null: one query for all of them. #}
{% test required(model, columns) %}
    select *
    from {{ model }}
    where {% for column in columns %}{{ adapter.quote(column) }} is null{{ ' or ' if not loop.last }}{% endfor %}
{% endtest %}
