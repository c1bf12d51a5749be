{#- What a row of the ledger says of its time; `programme` must be joined too. -#}
{% macro columns_of_task_history(ledger) %}
    {{ ledger }}.task_id,
    {{ ledger }}.task_uuid,
    {{ ledger }}.source_id,
    {{ ledger }}.definition,
    {{ ledger }}.state,
    {{ ledger }}.standing,
    {{ ledger }}.patient_uuid,
    {{ ledger }}.place_uuid,
    {{ ledger }}.area_uuid,
    {{ ledger }}.reported_at,
    {{ ledger }}.opens_on,
    {{ ledger }}.due_on,
    {{ ledger }}.closes_on,
    coalesce({{ ledger }}.verified_at, {{ ledger }}.resolved_at) as answered_at,
    {{ ledger }}.verification_answered_in,
    {{ ledger }}.verification_sender_uuid,
    {{ ledger }}.verified_by,
    {{ ledger }}.verification_outcome,
    {{ ledger }}.verification_round,
    round((
        extract(epoch from (
            coalesce({{ ledger }}.verified_at, {{ ledger }}.resolved_at)
            - app.local_midnight({{ ledger }}.opens_on, programme.timezone)
        )) / 3600
    )::numeric, 1) as hours_to_answer
{%- endmacro %}
