{{ config(unique_key=['report_id', 'answered_in']) }}

select * from {{ ref('live_verification') }}
