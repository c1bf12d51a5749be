{{ config(unique_key=['chw_target_uuid', 'target']) }}

select * from {{ ref('live_chw_target') }}
