{{ config(unique_key=['patient_uuid']) }}

select * from {{ ref('live_to_trace') }}
