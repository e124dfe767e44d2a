//! What is around every page, and receipts.

words! {
    /// See [`super`].
    Frame {
        skip: "Skip to main content", "跳到主要内容";
        account: "Account", "账户";
        menu: "Menu", "菜单";
        sign_in: "Sign in", "登录";
        sign_out: "Sign out", "退出";
        other_language: "中文", "English";
        explorer: "Ledger explorer", "账本浏览器";
        verify: "Verify a receipt", "验证回执";
        tagline: "Records stay at the hospital. Every use is on the ledger.", "病历留在医院，每次使用都记入账本。";
        changed: "This page has been updated.", "本页内容已更新。";
        back: "Back", "返回";
        live: "Updated as it happens", "实时更新";
        more: "Show more", "显示更多";
        first: "Back to the newest", "回到最新";
        done: "Done", "已完成";
        see_receipt: "See the receipt", "查看回执";
        download_receipt: "Download the receipt", "下载回执";
        receipt: "Receipt", "回执";
        receipt_lead: "This is proof that the consortium's ledger holds this transaction. Anyone with the genesis file can verify it without us.", "这是联盟账本记有此笔交易的证明。任何持有创世文件的人无需我们即可验证。";
        transaction: "Transaction", "交易";
        block: "Block", "区块";
        time: "Time", "时间";
        submitter: "Submitted by", "提交者";
        contract: "Contract", "合约";
        command: "Command", "命令";
        outcome: "Outcome", "结果";
        accepted: "Accepted", "已接受";
        rejected: "Rejected: {reason}", "已拒绝：{reason}";
        signed_by: "Certified by replicas", "认证副本";
        cancel: "Cancel", "取消";
        important: "Important", "重要";
        information: "Information", "提示";
        unavailable: "Some hospitals did not answer, so their part is missing: {names}. Try again in a moment.", "部分医院没有回应，缺少其内容：{names}。请稍后重试。";
        your_id: "Your ledger id", "您的账本标识";
    }
}
